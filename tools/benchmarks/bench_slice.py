"""Compares the slicing op's time and memory with those of TensorFlow's and PyTorch's own ops.

    python tools/benchmarks/bench_slice.py --output=bench

On the CPU, float32, for each shape [N, H, W, C] and each K: the time of forward and of forward +
backward, its ratio to the native op's, its speed as a fraction of a copy's, and the peak memory
beyond inputs, outputs and gradients. Prefix the command with `taskset -c 0` to use one core.

Kernels and bias have a grid of H/8 x W/8, as at MalleNet's full resolution. The copy is the fastest
of several ways to copy into allocated memory. Forward is compared with copying the features once;
forward + backward with 2.5 times that, because it must read the features twice and the incoming
gradient once, and write the output and the features' gradient.

    native               the op
    composition          tf.image.resize of kernels and bias, multiply, add, in a tf.function; for
                         K > 1 on shifted features, one tap after the other
    native_eager, composition_eager
                         both without a tf.function, one operation at a time
    composition_patches  for K > 1 on tf.image.extract_patches, all taps at once
    composition_xla      composition under jit_compile=True
    reference_xla        this package's reference, which gathers, under jit_compile=True
    per_pixel            multiply and add with kernels of full resolution as inputs: the cost that
                         remains when a network predicts a kernel for each pixel
    torch                interpolate, multiply, add, channels last, if PyTorch is installed

Implementations take turns; medians are compared. On a small image the op is repeated in one graph,
because calling the graph would cost more than the op. Freed memory is kept for the next call, so
that no implementation pays for fresh pages. Measurements that would take too long or too much
memory are skipped, with the reason. Goals are printed beside the measurements and do not change the
exit status.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # for TensorFlow and PyTorch

from mallenet_tf.profiling import benchmarking

os.environ.update(benchmarking.WITHOUT_POOL)

import numpy as np
import slice_report
import tensorflow as tf
from slice_implementations import (
    IMPLEMENTATIONS,
    Case,
    Shape,
    compile_call,
    make_inputs,
    parse_shapes,
    size_in_bytes,
    torch_installed,
)
from slice_report import Row

from mallenet_tf.common.errors import UserError, run_main, user_output
from mallenet_tf.inference.memory import available, resident
from mallenet_tf.ops import native_available

SHAPES = "1x256x256x16,16x160x160x16,1x1024x1024x16,1x512x512x64,1x3000x4000x16"
QUICK_SHAPES = "1x64x64x16,1x96x96x16"
# The paper's Fig. 10 compares the memory of these for 16, 32 and 64 channels.
FIGURE_SHAPES: list[Shape] = [(1, 512, 512, channels) for channels in (16, 32, 64)]
QUICK_FIGURE_SHAPES: list[Shape] = [(1, 64, 64, channels) for channels in (16, 32)]
# Bytes that forward, and forward + backward, read and write, in copies of the features.
COPIES = {False: 1.0, True: 2.5}
COPY = "copy"
# On smaller features the op is repeated in one graph until it processes about this many values.
VALUES_PER_CALL = 1 << 24


class Benchmark:
    """Measures cases in order, and estimates from each what the next will need.

    Args:
        seconds: Duration of the measurement of one pass.
        max_seconds: Longest that one call may take.
    """

    def __init__(self, seconds: float, max_seconds: float):
        self._seconds = seconds
        self._max_seconds = max_seconds
        # Per value of the features, by implementation, K and pass.
        self._bytes: dict[tuple[str, int, bool], float] = {}
        self._seconds_used: dict[tuple[str, int, bool], float] = {}

    def measure(self, case: Case, backward: bool, names: Sequence[str], timed: bool) -> list[Row]:
        """Measures one pass of a case: its memory, and if `timed` its time."""
        arrays: dict[bool, list[tf.Tensor]] = {}
        calls: dict[str, benchmarking.Call] = {}
        rows: dict[str, Row] = {}
        for name in names:
            obstacle = self._obstacle(name, case, backward)
            if obstacle:
                rows[name] = Row(case, backward, name, note=obstacle)
                continue
            full = IMPLEMENTATIONS[name].full_resolution
            if full not in arrays:
                arrays[full] = make_inputs(case, full)
            calls[name] = compile_call(IMPLEMENTATIONS[name], arrays[full], backward)
            rows[name] = self._measure_memory(name, case, backward, calls[name], arrays[full])
        if timed and calls:
            features = np.asarray(memoryview(next(iter(arrays.values()))[0]))
            repeats = max(1, VALUES_PER_CALL // case.values)
            if repeats > 1:
                for name in calls:
                    way = IMPLEMENTATIONS[name]
                    calls[name] = compile_call(way, arrays[way.full_resolution], backward, repeats)
            self._measure_time(calls, repeats, features, rows)
        return list(rows.values())

    def _obstacle(self, name: str, case: Case, backward: bool) -> str:
        """Returns why to skip a case, judging by an earlier one; empty if it can be measured."""
        key = (name, case.kernel_size, backward)
        memory = case.values * self._bytes.get(key, 0.0)
        seconds = case.values * self._seconds_used.get(key, 0.0)
        memory_there = available() + resident()  # the process can reuse what it holds
        if memory > memory_there / 2:
            return (
                f"skipped: needs about {memory / 1e9:.0f} of {memory_there / 1e9:.0f} GB available"
            )
        if seconds > self._max_seconds:
            return f"skipped: a call would take about {seconds:.0f} s"
        return ""

    def _measure_memory(
        self,
        name: str,
        case: Case,
        backward: bool,
        call: benchmarking.Call,
        inputs: Sequence[tf.Tensor],
    ) -> Row:
        start = time.perf_counter()
        produced = sum(result.nbytes for result in call())
        slow = time.perf_counter() - start > benchmarking.SLOW_SECONDS
        peak = benchmarking.peak_memory(call, attempts=1 if slow else 3)
        used = size_in_bytes(inputs) + peak
        self._bytes[name, case.kernel_size, backward] = used / case.values
        return Row(
            case,
            backward,
            name,
            extra_bytes=max(0, peak - produced),
            kernel_bytes=size_in_bytes(inputs[1:3]) * (2 if backward else 1),
        )

    def _measure_time(
        self,
        calls: dict[str, benchmarking.Call],
        repeats: int,
        features: np.ndarray,
        rows: dict[str, Row],
    ) -> None:
        """Adds times to the rows of all calls, each of which runs the op `repeats` times."""
        for call in calls.values():
            call()  # warms up: the memory measurement left no freed memory to reuse
        copy_name, copy = benchmarking.fastest_copy(features)
        anchors = [COPY, *(name for name in ("native",) if name in calls)]
        timings = benchmarking.take_turns({**calls, COPY: copy}, anchors, self._seconds)
        for name in calls:
            timings[name] = timings[name].per_repeat(repeats)
        native = timings.get("native")
        for name in calls:
            row, timing = rows[name], timings[name]
            key = (name, row.case.kernel_size, row.backward)
            self._seconds_used[key] = timing.median / row.case.values
            rows[name] = dataclasses.replace(
                row,
                timing=timing,
                native_ratio=timing.median / native.median if native else None,
                copy_seconds=COPIES[row.backward] * timings[COPY].median,
            )
        bandwidth = 2 * features.nbytes / timings[COPY].median / 1e9
        print(f"    copy: {bandwidth:.1f} GB/s read and written, {copy_name}")


def parse_flags(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, help="folder for bench_slice.csv and .png")
    parser.add_argument("--shapes", help=f"NxHxWxC,...; default {SHAPES}")
    parser.add_argument("--kernel_sizes", default="1,3", help="K of the kernels, odd")
    parser.add_argument("--implementations", help="names from the list above; default all")
    parser.add_argument("--seconds", type=float, help="duration of one pass of one case; default 4")
    parser.add_argument(
        "--max_seconds", type=float, default=10.0, help="skip cases whose calls take longer"
    )
    parser.add_argument("--quick", action="store_true", help="small shapes, for a quick test")
    return parser.parse_args(argv)


def parse_kernel_sizes(text: str) -> list[int]:
    """Parses `--kernel_sizes`: "1,3"."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) % 2 for word in words):
        raise UserError(f"Kernel sizes are odd numbers. Received: --kernel_sizes={text}")
    return [int(word) for word in words]


def parse_implementations(text: str | None) -> list[str]:
    """Parses `--implementations`; None means all that can run on this machine."""
    if text is None:
        if not torch_installed():
            print("PyTorch is not installed and is skipped")
        return [name for name in IMPLEMENTATIONS if name != "torch" or torch_installed()]
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in IMPLEMENTATIONS]
    if unknown:
        raise UserError(
            f"Implementations are {', '.join(IMPLEMENTATIONS)}. Received: --implementations={text}"
        )
    if "torch" in names and not torch_installed():
        raise UserError("PyTorch is not installed. Received: --implementations=" + text)
    return names


def main(argv: Sequence[str]) -> None:
    """Measures and prints each case, then prints the goals and writes the files."""
    flags = parse_flags(argv)
    shapes = parse_shapes(flags.shapes or (QUICK_SHAPES if flags.quick else SHAPES))
    kernel_sizes = parse_kernel_sizes(flags.kernel_sizes)
    names = parse_implementations(flags.implementations)
    seconds = flags.seconds or (0.05 if flags.quick else 4.0)
    benchmarking.use_one_arena()
    benchmarking.keep_freed_memory()
    tf.get_logger().setLevel("ERROR")  # it warns about functions that are traced for many shapes
    if "native" in names and not native_available():
        raise UserError("The native op is not available: the log says why, and how to build it.")
    if flags.output:
        with user_output(flags.output):  # before minutes of measuring
            flags.output.mkdir(parents=True, exist_ok=True)
    machine = benchmarking.describe_machine()
    print(benchmarking.headline(machine))
    print(slice_report.TABLE_HEAD)

    figure_shapes = QUICK_FIGURE_SHAPES if flags.quick else FIGURE_SHAPES
    figure_names = [name for name in names if name in slice_report.MEMORY_LABELS]
    cases = [(Case(shape, size), names, True) for size in kernel_sizes for shape in shapes]
    if flags.output:
        missing = [shape for shape in figure_shapes if Case(shape, 1) not in [c for c, *_ in cases]]
        cases += [(Case(shape, 1), figure_names, False) for shape in missing]
    rows: list[Row] = []
    benchmark = Benchmark(seconds, flags.max_seconds)
    start = time.perf_counter()
    for number, (case, wanted, timed) in enumerate(cases, 1):
        fitting = [
            name for name in wanted if case.kernel_size in IMPLEMENTATIONS[name].kernel_sizes
        ]
        for backward in (False, True):
            passed = f"case {number} of {len(cases)}, {time.perf_counter() - start:.0f} s so far"
            print(f"{case}, {slice_report.pass_name(backward)}   ({passed})", flush=True)
            measured = benchmark.measure(case, backward, fitting, timed)
            for row in measured:
                print(slice_report.table_line(row), flush=True)
            rows += measured
    print_goals(rows)
    if flags.output:
        write(flags.output, rows, figure_shapes, machine)


def print_goals(rows: Sequence[Row]) -> None:
    """Prints the measurements beside the goals."""
    lines = list(slice_report.goals(rows, benchmarking.last_level_cache()))
    if lines:
        print("goals, for medians of this run:")
        print("\n".join(lines))


def write(
    folder: Path, rows: Sequence[Row], figure_shapes: Sequence[Shape], machine: dict[str, str]
) -> None:
    """Writes the CSV file, and the plot if matplotlib is installed."""
    table, picture = folder / "bench_slice.csv", folder / "bench_slice.png"
    benchmarking.write_csv(table, [slice_report.csv_cells(row) for row in rows], machine)
    print(f"wrote {table}")
    obstacle = slice_report.plot_obstacle()
    if obstacle:
        print(obstacle)
        return
    slice_report.draw(picture, rows, figure_shapes, machine)
    print(f"wrote {picture}")


if __name__ == "__main__":
    run_main(main)(sys.argv[1:])
