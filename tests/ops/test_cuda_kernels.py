"""The CUDA kernels, run on the host: custom_ops/malleable_slice/tests/cuda_on_host.h emulates CUDA.

The kernels themselves are what nvcc compiles; blocks, threads and memory are the host's.
"""

import csv
import importlib
import shutil
import subprocess
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "custom_ops" / "malleable_slice"
ON_HOST = ["-std=c++17", "-I", str(REPOSITORY), "-include", f"{FOLDER}/tests/cuda_on_host.h"]
WATCHED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1"]


def compile_on_host(flags, sources, target):
    """Compiles for the host; g++ does not know nvcc's `#pragma unroll`."""
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    warnings = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
    compiler = ["g++", *ON_HOST, "-x", "c++", *warnings]
    files = [str(FOLDER / source) for source in sources]
    subprocess.run([*compiler, *flags, *files, "-o", str(target)], check=True)


@pytest.fixture(scope="module")
def check_program(tmp_path_factory):
    """The comparison with the reference loops, under the address and undefined sanitizers."""
    target = tmp_path_factory.mktemp("watched") / "check_cuda"
    probe = target.with_name("probe.cc")
    probe.write_text("int main() {}\n")
    command = ["g++", *WATCHED, str(probe), "-o", str(target)]
    if shutil.which("g++") is None or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs g++ with its sanitizers")
    compile_on_host(["-O0", *WATCHED], ["cuda/launchers.cu.cc", "tests/check_cuda.cc"], target)
    return target


def run_checks(program, seed, cases):
    done = subprocess.run(
        [str(program), str(seed), str(cases)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = int(done.stdout.split(" checks passed")[0])
    assert passed > 10_000  # numbers compared


def test_kernels_equal_the_reference_loops(check_program):
    run_checks(check_program, seed=1, cases=6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", (2, 3))
def test_kernels_equal_the_reference_loops_for_many_shapes(check_program, seed):
    run_checks(check_program, seed, cases=150)


# tools/checks/check_slice_cuda.py, for machines with a GPU and no TensorFlow.


@pytest.fixture
def checker(monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY / "tools" / "checks"))
    return importlib.import_module("check_slice_cuda")


@pytest.fixture(scope="module")
def emulated_library(tmp_path_factory):
    target = tmp_path_factory.mktemp("emulated") / "libslice_cuda.so"
    sources = ["cuda/launchers.cu.cc", "tests/cuda_c_api.cu.cc", "tests/reference_c_api.cc"]
    compile_on_host(["-O0", "-fPIC", "-shared"], sources, target)
    return target


@pytest.fixture
def emulated(checker, emulated_library, monkeypatch):
    """The checker with few and small shapes, and a library that runs on the host."""
    monkeypatch.setattr(checker, "build_library", lambda folder: emulated_library)
    monkeypatch.setattr(checker, "CHECKED", [(2, 9, 7, 16, 3, 2, 1), (1, 6, 8, 5, 2, 3, 3)])
    monkeypatch.setattr(checker, "TIMED", [(1, 16, 24, 4)])
    return checker


def test_checker_agrees_and_writes_its_table(emulated, tmp_path, capsys):
    table = tmp_path / "table.csv"
    assert emulated.main(["--repeats", "1", "--output", str(table)]) == 0
    printed = capsys.readouterr().out
    assert "8 comparisons passed" in printed and "goal 0.8" in printed
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["K"], row["pass"]) for row in rows] == [
        ("1", "forward"),
        ("1", "gradients"),
        ("3", "forward"),
        ("3", "gradients"),
    ]
    assert all(row["device"] == "CUDA emulated on the host" and row["date"] for row in rows)
    assert all(float(row["milliseconds"]) > 0 and float(row["ratio"]) >= 0 for row in rows)


def test_checker_fails_where_results_differ(emulated, monkeypatch, capsys):
    exact = emulated.Device.reference
    monkeypatch.setattr(
        emulated.Device, "reference", lambda *inputs: [v * 1.01 for v in exact(*inputs)]
    )
    assert emulated.main(["--types", "float32", "--timed-types"]) == 1
    printed = capsys.readouterr().out
    assert printed.count("error 9.9") == 8  # two shapes, the output and three gradients
    assert "bias_grad of (1, 6, 8, 5, 2, 3, 3), float32" in printed


def test_missing_compiler_is_one_line(checker, monkeypatch, capsys):
    monkeypatch.setenv("NVCC", "no-such-nvcc")
    assert checker.main([]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and "NVCC=no-such-nvcc" in printed
    assert printed.count("\n") == 1


def test_missing_gpu_is_one_line(emulated, monkeypatch, capsys):
    def call(self, function, *_):
        raise emulated.CheckError(f"{function}: no CUDA-capable device is detected")

    monkeypatch.setattr(emulated.Device, "call", call)
    assert emulated.main([]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: no GPU can be used here") and printed.count("\n") == 1


@pytest.mark.parametrize("flags", [["--repeats", "0"], ["--types", "int8"]])
def test_wrong_flags_are_refused(checker, flags, capsys):
    with pytest.raises(SystemExit):
        checker.main(flags)
    assert flags[0] in capsys.readouterr().err


def test_checker_compares_with_the_reference_loops(
    checker, emulated_library, make_case, slice_by_loops
):
    sizes = (2, 4, 3, 1, 6, 2, 3)
    case = make_case(*sizes)
    inputs = (case.features, case.kernels, case.bias, case.output_grad)
    found = checker.Device(emulated_library).reference(sizes, *inputs)
    for one, other in zip(found, slice_by_loops(*inputs), strict=True):
        np.testing.assert_array_equal(one, other)


def test_checkers_bfloat16_rounds_to_nearest(checker):
    values = np.random.default_rng(0).standard_normal(1000)
    stored = checker.to_storage(values, "bfloat16")
    np.testing.assert_array_equal(
        stored, values.astype(np.float32).astype(ml_dtypes.bfloat16).view(np.uint16)
    )
    back = checker.from_storage(stored, "bfloat16")
    np.testing.assert_array_equal(back, stored.view(ml_dtypes.bfloat16).astype(np.float64))
