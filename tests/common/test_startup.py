"""What commands print when TensorFlow starts: nothing on a machine without a GPU."""

import os
import subprocess
import sys

import pytest
from PIL import Image

STARTUP_WORDS = ("absl::InitializeLog", "cuInit", "cudart", "cpu_feature_guard")


def run(repository, code_or_module, *arguments, **environment):
    inherited = {
        name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"
    }
    return subprocess.run(
        [sys.executable, *code_or_module, *map(str, arguments)],
        cwd=repository,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_command_prints_nothing_about_absent_gpus(repository, tmp_path):
    Image.new("RGB", (32, 32), (90, 120, 60)).save(tmp_path / "flat.png")
    module = ["-m", "mallenet_tf.denoise"]
    done = run(repository, module, tmp_path / "flat.png", f"--output={tmp_path / 'clean.png'}")
    assert done.returncode == 0, done.stderr
    assert not [word for word in STARTUP_WORDS if word in done.stdout + done.stderr], done.stderr


UNEXPECTED = """
import os, sys
from mallenet_tf.common import startup
with startup._without_expected_lines():
    os.write(2, b"E0000 00:00:1.1 7 cuda_platform.cc:52] failed call to cuInit: UNKNOWN\\n")
    os.write(2, b"E0000 00:00:1.2 7 something.cc:1] the disk is on fire\\n")
    if len(sys.argv) > 1:
        raise RuntimeError("a defect")
"""


@pytest.mark.parametrize("arguments", [(), ("fail",)])
def test_other_lines_reach_the_terminal(repository, arguments):
    done = run(repository, ["-c", UNEXPECTED], *arguments)
    assert "the disk is on fire" in done.stderr
    assert "cuInit" not in done.stderr
    assert (done.returncode == 0) == (not arguments)
    assert ("RuntimeError: a defect" in done.stderr) == bool(arguments)
