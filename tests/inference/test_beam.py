"""`denoise --beam`: the results of the command, whole whatever is killed; a second run ends it."""

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import read_image
from mallenet_tf.image_io.image_writer import write_image
from mallenet_tf.inference.batch import denoise_files
from mallenet_tf.inference.beam import denoise_on_beam
from mallenet_tf.inference.options import Options
from tests.helpers.blend import Blend

# Beam's own direct runner; DirectRunner would first look for a program of another language.
RUNNER = "--runner=FnApiRunner"
TWO_PROCESSES = "--direct_running_mode=multi_processing --direct_num_workers=2"


def test_without_beam_the_command_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(UserError, match=r"needs apache-beam.*pip install 'mallenet-tf\[beam\]'"):
        denoise_on_beam([str(tmp_path)], str(tmp_path / "out"), Options(), RUNNER)


@pytest.fixture
def archive(tmp_path):
    """A folder of images, broken ones and others."""
    random = np.random.default_rng(0)
    for index in range(12):
        image = random.integers(0, 256, (20, 30, 3), np.uint8)
        write_image(tmp_path / "in" / ("", "sub")[index % 2] / f"{index}.png", image)
    (tmp_path / "in" / "broken.jpg").write_bytes(b"rubbish")
    (tmp_path / "in" / "clip.mp4").touch()
    (tmp_path / "in" / ".hidden.png").touch()
    return tmp_path / "in"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "one.keras"
    Blend(1, trained_sigma=25.0).save(path)
    return path


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "report.json"
    }


# Beam's own code warns of much that is not ours to change.
@pytest.mark.filterwarnings("default")
def test_the_results_are_those_of_the_command(archive, weights, tmp_path, capsys):
    pytest.importorskip("apache_beam", reason="needs the extra [beam]")
    options = Options(weights=weights, recursive=True, json=True)
    assert denoise_files([str(archive)], str(tmp_path / "here"), options) == 1
    capsys.readouterr()
    out = tmp_path / "out"
    assert denoise_on_beam([str(archive)], str(out), options, RUNNER) == 1
    printed = capsys.readouterr()
    assert contents(out) == contents(tmp_path / "here") and len(contents(out)) == 12
    report = json.loads((out / "report.json").read_text())
    assert report == json.loads(printed.out)
    assert (report["denoised"], report["failed"], report["not_read"]) == (12, 1, {"videos": 1})
    assert report["files"][0]["source"] == str(archive / "broken.jpg")
    assert f"Received: '{archive}/broken.jpg'" in report["files"][0]["error"]
    assert "1 of 13 files failed:" in printed.err
    # A second run does what is left alone, and files that would go to one place fail.
    (out / "0.png").unlink()
    other = shutil.copytree(archive, tmp_path / "other")
    write_image(other / "new.png", np.zeros((9, 9, 3), np.uint8))
    given = [f"{archive}/*.png", f"{archive}/*.png", f"{other}/*.png"]
    assert denoise_on_beam(given, str(out), options, RUNNER) == 1
    report = json.loads((out / "report.json").read_text())
    assert (report["denoised"], report["skipped"], report["failed"]) == (1, 0, 6)
    assert "written to one file" in report["files"][0]["error"] and not (out / "0.png").exists()
    with pytest.raises(UserError, match="No such files. Received: .*none"):
        denoise_on_beam([str(tmp_path / "none*")], str(out), options, RUNNER)


@pytest.mark.slow
def test_a_killed_worker_leaves_whole_files_and_the_next_run_does_the_rest(
    archive, repository, tmp_path
):
    pytest.importorskip("apache_beam", reason="needs the extra [beam]")
    for index in range(100, 140):
        shutil.copy(archive / "0.png", archive / f"{index}.png")
    (archive / "broken.jpg").unlink()
    out = tmp_path / "out"
    line = [sys.executable, "-m", "mallenet_tf.denoise", archive, f"--output={out}"]
    line += ["--weights=mallenet_s_sigma25", f"--beam={RUNNER} {TWO_PROCESSES}"]
    run = subprocess.Popen(line, cwd=repository, stderr=subprocess.DEVNULL)
    while not list(out.glob("*.png")):
        assert run.poll() is None
        time.sleep(0.05)
    workers = [
        child
        for child in psutil.Process(run.pid).children(recursive=True)
        if child.cmdline()[1:3] == ["-m", "apache_beam.runners.worker.sdk_worker_main"]
    ]
    assert len(workers) >= 2
    workers[0].kill()
    try:
        assert run.wait(120) != 0
    except subprocess.TimeoutExpired:  # Some runners wait for a worker that is gone.
        for process in psutil.Process(run.pid).children(recursive=True):
            process.kill()
        run.kill()
        run.wait()
    done = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert 0 < len(done) < 46
    assert all(read_image(path).shape == (20, 30, 3) for path in done)
    assert subprocess.run(line, cwd=repository, stderr=subprocess.DEVNULL).returncode == 0
    report = json.loads((out / "report.json").read_text())
    assert (report["skipped"], report["denoised"]) == (len(done), 46 - len(done))
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())
