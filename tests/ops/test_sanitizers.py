"""The CPU kernels of each op under sanitizers, against its reference loops."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
OPS = REPOSITORY / "custom_ops"
WATCHED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1"]


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module", params=["malleable_slice", "inverted_bottleneck"])
def check_program(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    probe = folder / "probe.cc"
    probe.write_text("int main() {}\n")
    if shutil.which("g++") is None or run("g++", *WATCHED, probe, "-o", folder / "a").returncode:
        pytest.skip("needs g++ with its sanitizers")
    # Small arrays go around the caches as large ones do.
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-DMALLENET_STREAMED_BYTES=0"]
    op = OPS / request.param
    sources = [
        OPS / "common" / "instruction_set.cc",
        *op.glob("cpu/*.cc"),
        op / "tests/check_cpu.cc",
    ]

    def compile_one(source):
        target = folder / f"{source.stem}.o"
        done = run("g++", *flags, *WATCHED, "-I", REPOSITORY, "-c", source, "-o", target)
        assert done.returncode == 0, done.stderr
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, sources))
    program = folder / "check_cpu"
    done = run("g++", *WATCHED, *objects, "-o", program)
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.slow
@pytest.mark.parametrize("instruction_set", ["base", "avx2", "avx512"])
def test_kernels_equal_the_loops_however_the_work_is_split(check_program, instruction_set):
    environment = {**os.environ, "MALLENET_INSTRUCTION_SET": instruction_set}
    done = run(check_program, "1", "500", env=environment)
    if f"instruction set {instruction_set}" not in done.stdout:
        pytest.skip(f"this CPU has no {instruction_set}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split(": ")[1].split(" checks passed")[0]) > 1_000_000
