"""The Bazel build of the native ops: it names every source, and what it builds works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
OPS = ("malleable_slice", "inverted_bottleneck")


@pytest.mark.parametrize("name", ["common", *OPS])
def test_every_source_for_cpus_is_in_one_target(name):
    folder = REPOSITORY / "custom_ops" / name
    named = re.findall(r'"([\w/]+\.cc)"', (folder / "BUILD").read_text(encoding="utf-8"))
    sources = [str(path.relative_to(folder)) for path in folder.rglob("*.cc")]
    # Only for other compilers: CUDA sources, and interfaces for programs that call C.
    others = (".cu.cc", "c_api.cc", "tests/check_cuda.cc")
    assert sorted(named) == sorted(file for file in sources if not file.endswith(others))


@pytest.mark.slow
def test_libraries_of_bazel_agree_with_the_references():
    if shutil.which("bazel") is None:
        pytest.skip("bazel is not installed")
    done = subprocess.run(
        [str(REPOSITORY / "tools" / "checks" / "check_bazel.sh")],
        env={**os.environ, "PYTHON_BIN_PATH": sys.executable},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in OPS:
        assert f"lib{name}.so agrees with the reference" in done.stdout
