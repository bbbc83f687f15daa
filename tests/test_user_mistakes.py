"""A user's mistake ends every command with one line and exit status 1, without a traceback.

The mistakes here are those that need TensorFlow to show; the tests of each command have the rest.
"""

import numpy as np
import pytest

from mallenet_tf.image_io import write_image
from mallenet_tf.models import MalleNet
from tests.helpers.binaries import run_binary


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with weights, a photograph, and a file where outputs want a folder."""
    folder = tmp_path_factory.mktemp("files")
    MalleNet(width=1, blocks=0, implementation="reference").save(folder / "net.keras")
    write_image(folder / "photo.png", np.full((20, 20, 3), 128, np.uint8))
    (folder / "broken.keras").write_bytes(b"rubbish")
    (folder / "file").touch()
    return folder


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("denoise", "{0}/photo.png --output={0}/a.png --weights={0}/none.keras", "No such weights"),
        ("denoise", "{0} --video --output={0}/v --weights={0}/broken.keras", "Cannot load a model"),
        ("denoise", "{0}/photo.png --output={0}/file/a.png --weights={0}/net.keras", "/file'"),
        ("evaluate", "--weights={0}/net.keras --data={0}/none", "none"),
        ("evaluate", "--weights={0}/net.keras --data={0} --output={0}/file/a.csv", "file/a.csv"),
        ("export", "--weights={0}/broken.keras --output={0}/out", "Cannot load a model"),
        ("export", "--weights={0}/net.keras --output={0}/file/out", "file/out"),
        ("profile", "--models=dncnn --precisions=float8", "--precisions=float8"),
        ("submit", "--weights=typo --benchmark=dnd --data={0} --output={0}/s", "No such weights"),
        ("train", "--gin_file=experiments/smoke.gin --model_dir={0}/run", "data/DIV2K"),
        (
            "train",
            '--gin_file=experiments/smoke.gin --gin_param=VALIDATION="{0}" --model_dir={0}/file/r',
            "file/r",
        ),
    ],
)
def test_a_users_mistake_has_no_traceback(repository, files, module, arguments, message):
    if module == "profile":
        pytest.importorskip("xprof")
    done = run_binary(module, repository, *arguments.format(files).split())
    assert done.returncode == 1, done.stderr
    assert message in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
