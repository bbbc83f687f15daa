"""`python -m mallenet_tf.denoise`: files in, files out, and what it says to mistakes."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import mallenet_tf
from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import read_image, write_image
from mallenet_tf.inference.options import parse_pixels, parse_sigma
from mallenet_tf.models import MalleNet
from mallenet_tf.models.denoising_model import DenoisingModel, image_input
from tests.helpers.binaries import run_binary
from tests.helpers.denoised_files import run


@keras.saving.register_keras_serializable("mallenet_tf_tests")
class Mixer(DenoisingModel):
    """A mixture of the image and its noise level, quick to save and to load."""

    def __init__(self, share=0.5, noise_conditioned=False, trained_sigma=None, name="mixer", **_):
        inputs, noisy = image_input(3, noise_conditioned)
        outputs = noisy * share + inputs[..., -1:] * (1 - share)
        options = {
            "share": share,
            "image_channels": 3,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
        }
        super().__init__(inputs, outputs, options, name)


def save_model(folder, **options):
    path = folder / "small.keras"
    Mixer(**options).save(path)
    return path


@pytest.fixture(scope="module")
def conditioned(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("conditioned"), noise_conditioned=True)


@pytest.fixture(scope="module")
def fixed(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("fixed"), trained_sigma=25.0)


@pytest.fixture
def photograph(tmp_path):
    noisy = np.random.default_rng(0).normal(128, 10, (60, 80, 3)).round().astype(np.uint8)
    write_image(tmp_path / "in" / "Foto 1 ü.png", noisy)
    return tmp_path / "in" / "Foto 1 ü.png"


def test_a_folder_with_a_corrupt_file(repository, photograph, tmp_path):
    MalleNet(width=4, noise_conditioned=True).save(tmp_path / "mallenet.keras")
    (photograph.parent / "broken.png").write_bytes(b"\x89PNG")
    write_image(photograph.parent / "dot.png", np.zeros((1, 1, 3), np.uint8))
    out = tmp_path / "out"
    done = run_binary(
        "denoise",
        repository,
        photograph.parent,
        f"--output={out}",
        f"--weights={tmp_path / 'mallenet.keras'}",
    )
    assert done.returncode == 1
    assert sorted(path.name for path in out.iterdir()) == ["Foto 1 ü.png", "dot.png"]
    assert read_image(out / "Foto 1 ü.png").shape == (60, 80, 3)
    assert re.search(r"80 x 60  sigma (9|10)\.\d \(estimated\)", done.stdout)
    assert "1 of 3 files failed" in done.stderr and "broken.png" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give image files"),
        (["a.png"], "Give image files"),
        (["--output=x"], "Give image files"),
    ],
)
def test_mistakes_are_one_line(repository, arguments, message):
    done = run_binary("denoise", repository, *arguments)
    assert done.returncode == 1
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_file_and_array_give_the_same(conditioned, photograph, tmp_path):
    target = tmp_path / "clean.png"
    assert run([str(photograph)], str(target), conditioned, sigma=12) == 0
    image = read_image(photograph)
    result = mallenet_tf.denoise_image(image, sigma=12, weights=conditioned)
    np.testing.assert_array_equal(read_image(target), result)
    stronger = mallenet_tf.denoise_image(image, sigma=50, weights=conditioned)
    assert (stronger != result).any()


def test_array_types_come_back(conditioned):
    image = np.random.default_rng(0).random((13, 21, 3))
    for kind in (np.float32, np.float64):
        result = mallenet_tf.denoise_image(image.astype(kind), weights=conditioned)
        assert result.dtype == kind and result.shape == image.shape
    gray = mallenet_tf.denoise_image(np.full((1, 1), 7, np.uint8), weights=str(conditioned))
    assert gray.dtype == np.uint8 and gray.shape == (1, 1)


def test_weights_written_anew_are_loaded_anew(tmp_path):
    image = np.random.default_rng(0).random((16, 16, 3), np.float32)
    path = save_model(tmp_path)
    first = mallenet_tf.denoise_image(image, weights=path)
    np.testing.assert_array_equal(mallenet_tf.denoise_image(image, weights=path), first)
    save_model(tmp_path, share=0.25)
    assert (mallenet_tf.denoise_image(image, weights=path) != first).any()


def test_a_single_existing_output_is_refused(conditioned, photograph, tmp_path):
    target = tmp_path / "clean.png"
    target.write_bytes(b"precious")
    with pytest.raises(UserError, match="--overwrite replaces it. Received: .*clean.png"):
        run([str(photograph)], str(target), conditioned, sigma=12)
    assert target.read_bytes() == b"precious"
    assert run([str(photograph)], str(target), conditioned, 12, overwrite=True) == 0
    assert read_image(target).shape == (60, 80, 3)


def test_existing_outputs_in_a_folder_are_skipped(conditioned, photograph, tmp_path, capsys):
    write_image(photograph.parent / "b.png", np.zeros((9, 9, 3), np.uint8))
    arguments = ([str(photograph.parent)], str(tmp_path / "out"), conditioned, 12)
    assert run(*arguments) == 0
    assert run(*arguments) == 0
    assert "0 denoised, 2 skipped, 0 failed" in capsys.readouterr().out


def test_fixed_weights_refuse_a_sigma_and_warn_of_other_noise(fixed, photograph, tmp_path, capsys):
    with pytest.raises(UserError, match="trained for sigma 25 and takes no sigma"):
        run([str(photograph)], str(tmp_path / "a.png"), fixed, sigma=12)
    with pytest.raises(ValueError, match="trained for sigma 25 and takes no sigma"):
        mallenet_tf.denoise_image(read_image(photograph), sigma=12, weights=fixed)
    assert run([str(photograph)], str(tmp_path / "a.png"), fixed) == 0
    line = capsys.readouterr().out
    assert re.search(r"sigma 25 \(fixed\)  warning: the noise looks like sigma (9|10)\.", line)


def test_an_image_without_white_noise_is_noted(conditioned, tmp_path, capsys):
    write_image(tmp_path / "plain.png", np.full((64, 64, 3), 90, np.uint8))
    assert run([str(tmp_path / "plain.png")], str(tmp_path / "o"), conditioned) == 0
    assert "unchanged: no noise found" in capsys.readouterr().out
    ramp = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)  # No neighbors are equal.
    write_image(tmp_path / "ramp.png", np.repeat(ramp[..., None], 3, axis=-1))
    assert run([str(tmp_path / "ramp.png")], str(tmp_path / "o"), conditioned) == 0
    assert "hardly any white noise" in capsys.readouterr().out


def test_sigma_from_the_command_line():
    assert parse_sigma("auto") is None
    assert parse_sigma("12.5") == 12.5
    with pytest.raises(UserError, match="Received: --sigma=strong"):
        parse_sigma("strong")


KILLED_WHILE_WRITING = """
import os, signal, sys
from mallenet_tf.common.files import atomic_path
with atomic_path(sys.argv[1]) as path:
    path.write_bytes(b"half a file")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_was_killed_goes_on_and_leaves_nothing_behind(conditioned, photograph, tmp_path):
    folder, out = photograph.parent, tmp_path / "out"
    for index in range(3):
        write_image(folder / f"{index}.png", np.full((9, 9, 3), 50, np.uint8))
    out.mkdir()
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(out / "1.png")])
    assert killed.returncode == -signal.SIGKILL
    (left,) = out.iterdir()
    assert left.read_bytes() == b"half a file"
    arguments = ([str(folder)], str(out), conditioned, 12)
    write_image(out / "0.png", np.full((9, 9, 3), 7, np.uint8))
    assert run(*arguments) == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == ["0.png", "1.png", "2.png", "Foto 1 ü.png"]
    assert (read_image(out / "0.png") == 7).all()


def test_the_json_summary(conditioned, photograph, tmp_path, capsys):
    (photograph.parent / "broken.png").write_bytes(b"rubbish")
    write_image(photograph.parent / "c.png", np.full((9, 9, 3), 50, np.uint8))
    write_image(tmp_path / "out" / "c.png", np.full((9, 9, 3), 50, np.uint8))
    arguments = ([str(photograph.parent)], str(tmp_path / "out"), conditioned, 12)
    assert run(*arguments, json=True) == 1
    printed = capsys.readouterr()
    summary = json.loads(printed.out)
    assert (summary["denoised"], summary["skipped"], summary["failed"]) == (1, 1, 1)
    by_name = {Path(file["source"]).name: file for file in summary["files"]}
    assert by_name["Foto 1 ü.png"]["width"] == 80 and by_name["Foto 1 ü.png"]["sigma"] == 12
    assert by_name["c.png"]["skipped"] and "not known" in by_name["broken.png"]["error"]
    assert "[1/3]" in printed.err


def test_too_little_memory_for_the_network_is_said_at_once(conditioned, photograph, tmp_path):
    with pytest.raises(UserError, match="alone take .*Received: --max_memory=20MB"):
        run([str(photograph)], str(tmp_path / "a.png"), conditioned, 12, max_memory="20MB")


def test_pixels_from_the_command_line():
    assert parse_pixels(None) is None
    assert parse_pixels(["3,4", " 5 , 6"]) == ((3, 4), (5, 6))
    for text in ("3", "3,4,5", "a,b", "1.5,2"):
        with pytest.raises(UserError, match="Received: --show_kernels="):
            parse_pixels([text])
