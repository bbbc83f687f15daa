"""The CPU kernels under sanitizers, against float64 loops, for random shapes and splits."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "custom_ops" / "malleable_slice"
WATCHED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1"]
SOURCES = [f"malleable_slice_{part}.cc" for part in ("cpu", "base", "avx2", "avx512")]


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def check_program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    probe = folder / "probe.cc"
    probe.write_text("int main() {}\n")
    if shutil.which("g++") is None or run("g++", *WATCHED, probe, "-o", folder / "a").returncode:
        pytest.skip("needs g++ with its sanitizers")
    # Small arrays go around the caches as large ones do.
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-DMALLENET_STREAMED_BYTES=0"]

    def compile_one(source):
        target = folder / f"{Path(source).stem}.o"
        done = run("g++", *flags, *WATCHED, "-c", FOLDER / source, "-o", target)
        assert done.returncode == 0, done.stderr
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, [*SOURCES, "tests/check_slice_cpu.cc"]))
    program = folder / "check_slice_cpu"
    done = run("g++", *WATCHED, *objects, "-o", program)
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.slow
@pytest.mark.parametrize("instruction_set", ["base", "avx2", "avx512"])
def test_kernels_equal_float64_loops_however_the_work_is_split(check_program, instruction_set):
    environment = {**os.environ, "MALLENET_SLICE_ISA": instruction_set}
    done = run(check_program, "1", "500", env=environment)
    if f"instruction set {instruction_set}" not in done.stdout:
        pytest.skip(f"this CPU has no {instruction_set}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split(": ")[1].split(" checks passed")[0]) > 1_000_000
