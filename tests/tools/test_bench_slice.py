"""The benchmark of the op compares equal functions and reports its measurements correctly."""

import csv
import importlib
import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
# In a process of its own: it sets how the C library allocates.
RUN = """
import json, sys
sys.path[:0] = ["tools/benchmarks", "."]
import numpy as np
import bench_slice, tensorflow as tf
from mallenet_tf.profiling import benchmarking

megabytes = 32
values = tf.zeros([megabytes << 18])
add = tf.function(lambda array: tf.reduce_sum(tf.nn.relu(array + 1.0)))
add(values)
print(json.dumps({
    "tensorflow": benchmarking.peak_memory(lambda: add(values)) / 2**20,
    "numpy": benchmarking.peak_memory(lambda: np.ones(megabytes << 18, np.float32)) / 2**20,
    "nothing": benchmarking.peak_memory(lambda: None) / 2**20,
}))
sys.stdout.flush()
bench_slice.run_main(bench_slice.main)(sys.argv[1:])
"""


@pytest.fixture
def tools(monkeypatch) -> types.SimpleNamespace:
    """The modules of the benchmark that have no side effects when imported."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "tools" / "benchmarks"))
    names = ("slice_implementations", "slice_report")
    modules = {name: importlib.import_module(name) for name in names}
    benchmarking = importlib.import_module("mallenet_tf.profiling.benchmarking")
    return types.SimpleNamespace(benchmarking=benchmarking, **modules)


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory) -> tuple[Path, str]:
    """The output folder of a small run, and its printed output."""
    folder = tmp_path_factory.mktemp("bench")
    names = "native,composition,composition_patches,per_pixel"
    flags = ["--quick", "--shapes=1x128x128x16", f"--implementations={names}"]
    done = run([*flags, f"--output={folder}"])
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def run(flags: list[str]) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", RUN, *flags]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_implementations_compute_the_same(tools, kernel_size):
    implementations = tools.slice_implementations
    case = implementations.Case((2, 18, 11, 3), kernel_size)
    for full_resolution in (False, True):
        inputs = implementations.make_inputs(case, full_resolution)
        reference = implementations.Implementation(implementations.ops.malleable_slice_reference)
        wanted = implementations.compile_call(reference, inputs, True)()
        compared = []
        for name, implementation in implementations.IMPLEMENTATIONS.items():
            if (
                implementation.full_resolution != full_resolution
                or kernel_size not in implementation.kernel_sizes
                or (name == "torch" and not implementations.torch_installed())
                # The functions are the same with and without XLA; compiling nine taps takes long.
                or (implementation.framework == "xla" and kernel_size > 1)
            ):
                continue
            compared.append(name)
            for backward in (False, True):
                found = implementations.compile_call(implementation, inputs, backward)()
                assert len(found) == (4 if backward else 1)
                for one, other in zip(found, wanted, strict=False):
                    np.testing.assert_allclose(one, other, rtol=0, atol=2e-5, err_msg=name)
        assert compared


def test_turns_alternate_with_the_anchors(tools, monkeypatch):
    monkeypatch.setattr(tools.benchmarking, "BURST_SECONDS", 0.0)
    order = []
    calls = {name: lambda name=name: order.append(name) for name in ("native", "one", "two")}
    timings = tools.benchmarking.take_turns(calls, ["native"], 0.0)
    assert order == ["one", "native", "two", "native"] * tools.benchmarking.MIN_ROUNDS
    assert timings["native"].calls == 2 * timings["one"].calls
    assert 0 <= timings["one"].best <= timings["one"].median


def test_what_is_slow_is_called_once(tools, monkeypatch):
    monkeypatch.setattr(tools.benchmarking, "BURST_SECONDS", 0.0)
    calls = {"native": lambda: None, "slow": lambda: None}
    timings = tools.benchmarking.take_turns(calls, ["native"], 0.0, slow_seconds=-1.0)
    assert timings["slow"].calls == 1
    assert timings["native"].calls == tools.benchmarking.MIN_ROUNDS


def test_the_copy_copies(tools):
    source = np.arange(10007, dtype=np.float32)
    name, copy = tools.benchmarking.fastest_copy(source)
    assert name.startswith("numpy.copyto")
    copy()


def test_memory_of_tensors_and_of_arrays_is_counted(quick_run):
    peaks = json.loads(quick_run[1].splitlines()[0])
    assert peaks["numpy"] == pytest.approx(32, abs=1.5)
    assert peaks["tensorflow"] == pytest.approx(32, abs=1.5)  # relu works in place
    assert peaks["nothing"] < 1


def test_table_has_every_measurement(quick_run):
    folder, printed = quick_run
    with (folder / "bench_slice.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    timed = {
        (row["kernel_size"], row["pass"], row["implementation"]): row
        for row in rows
        if row["shape"] == "1x128x128x16"
    }
    passes = ("forward", "forward + backward")
    names = {"1": ["native", "composition", "per_pixel"]}
    names["3"] = [*names["1"], "composition_patches"]
    assert set(timed) == {(k, p, name) for k in names for p in passes for name in names[k]}
    for (kernel_size, step, name), row in timed.items():
        assert 0 < float(row["best_ms"]) <= float(row["median_ms"])
        assert (row["time_to_native"] == "1.000") == (name == "native")
        assert f"1x128x128x16 K={kernel_size}, {step} " in printed

    # How much is new memory at these sizes depends on what the heap kept; above, it is measured.
    native = [float(row["extra_mb"]) for (_, _, name), row in timed.items() if name == "native"]
    assert min(native) < 1


def test_plot_and_goals_are_shown(quick_run):
    folder, printed = quick_run
    assert "goals" in printed and "K=1 extra memory, forward + backward" in printed
    pytest.importorskip("matplotlib", reason="the plot needs matplotlib")
    assert (folder / "bench_slice.png").read_bytes().startswith(b"\x89PNG")


def test_goals_compare_with_what_was_measured(tools):
    report, case = tools.slice_report, tools.slice_implementations.Case

    def row(name, seconds, shape=(1, 256, 256, 16), size=1, backward=False, **more):
        timing = tools.benchmarking.Timing(seconds, seconds, 5)
        return report.Row(case(shape, size), backward, name, timing, **more)

    large = (1, 1024, 1024, 16)
    lines = list(
        report.goals(
            [
                row("native", 1.0, copy_seconds=0.1),  # in the cache: does not count
                row("native", 1.0, large, copy_seconds=0.79),
                row("composition", 8.1),
                row("composition", 9.8, backward=True),
                row("composition", 5.1, large, backward=True),
                row("native", 2.0, backward=True, extra_bytes=900_000),
                row("native", 1.0, large, backward=True),
                row("composition_eager", 9.0),  # compared with native_eager, which is not there
            ],
            cache=32 << 20,
        )
    )
    verdicts = [line.split()[-1] for line in lines]
    assert verdicts == ["met", "MISSED", "MISSED", "met"]
    assert "8.1 x" in lines[0] and "79 to 79 %" in lines[1]
    assert "4.9 to 5.1 x" in lines[2] and "0.90 to 0.90 MB" in lines[3]


@pytest.mark.parametrize(
    "flag",
    ["--shapes=256x256x16", "--kernel_sizes=2", "--implementations=nativ"],
)
def test_mistakes_are_told_in_one_line(monkeypatch, capsys, tools, flag):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # the module sets it; here it is set back
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    bench_slice = importlib.import_module("bench_slice")
    with pytest.raises(SystemExit) as stop:
        bench_slice.run_main(bench_slice.main)([flag])
    assert stop.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and f"Received: {flag}" in line
