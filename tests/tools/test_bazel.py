"""The Bazel build of the op: it names every source, and what it builds works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "custom_ops" / "malleable_slice"


def test_every_source_for_cpus_is_in_one_target():
    named = re.findall(r'"(\w+\.cc)"', (FOLDER / "BUILD").read_text(encoding="utf-8"))
    sources = [path.name for path in FOLDER.glob("*.cc") if not path.name.endswith(".cu.cc")]
    assert sorted(named) == sorted(sources)


@pytest.mark.slow
def test_library_of_bazel_agrees_with_the_reference():
    if shutil.which("bazel") is None:
        pytest.skip("bazel is not installed")
    done = subprocess.run(
        [str(REPOSITORY / "tools" / "checks" / "check_bazel.sh")],
        env={**os.environ, "PYTHON_BIN_PATH": sys.executable},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agrees with the reference" in done.stdout
