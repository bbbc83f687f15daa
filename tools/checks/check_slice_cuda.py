"""Checks and times the CUDA kernels of the slicing op without TensorFlow.

    python tools/checks/check_slice_cuda.py --output=slice_cuda.csv

It needs nvcc, a GPU and NumPy. It builds the launchers with nvcc, compares the forward pass and the
gradients with float64 loops on the host for every type, and then times them and a copy on the same
device. Times are medians of `--repeats` bursts after a warm-up. A ratio is the bandwidth of the op,
by the bytes that it must read and write at least, over that of the copy. The exit status is 1 if a
comparison fails.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from slice_cuda_device import CheckError, Device, DeviceSlice, Sizes, build_library

CHECKED: list[Sizes] = [
    (1, 1, 1, 1, 1, 1, 1),
    (2, 33, 47, 16, 5, 7, 1),
    (2, 33, 47, 16, 5, 7, 3),
    (1, 64, 64, 64, 8, 8, 1),
    (1, 64, 64, 64, 8, 8, 3),
    (3, 17, 13, 21, 4, 3, 1),
    (3, 17, 13, 21, 4, 3, 3),
    (1, 9, 10, 5, 13, 21, 3),
    (1, 200, 300, 8, 1, 1, 1),
    (1, 50, 60, 12, 6, 7, 5),
    (40, 8, 8, 24, 2, 2, 3),
]
TIMED: list[tuple[int, int, int, int]] = [
    (8, 512, 512, 64),
    (1, 256, 256, 16),
    (16, 160, 160, 16),
    (1, 1024, 1024, 16),
    (1, 3000, 4000, 16),
    (1, 512, 512, 64),
]
PIXELS_PER_CELL = 8  # Of the timed shapes, in each direction.
RESULTS = ("output", "features_grad", "kernels_grad", "bias_grad")
# Bounds of the largest error over the largest value. Half types are rounded once.
TOLERANCES = {"float32": 1e-5, "float64": 1e-13, "float16": 1e-3, "bfloat16": 8e-3}
ITEM_BYTES = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2}
# The project's goals for 8x512x512x64, float32, K = 1, as fractions of the copy's bandwidth.
GOALS = {"forward": 0.8, "gradients": 0.5}


def to_storage(values: np.ndarray, dtype: str) -> np.ndarray:
    """Converts float64 to a type; bfloat16, which NumPy lacks, to its bits, rounded."""
    if dtype != "bfloat16":
        return values.astype(dtype)
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_storage(values: np.ndarray, dtype: str) -> np.ndarray:
    """Converts values from `to_storage` back to float64."""
    if dtype == "bfloat16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float64)


def shapes_of(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the op's inputs by name; the results have the same shapes."""
    batch, height, width, channels, grid_height, grid_width, size = sizes
    image, grid = (batch, height, width, channels), (batch, grid_height, grid_width)
    return {
        "features": image,
        "kernels": (*grid, size * size, channels),
        "bias": (*grid, channels),
        "output_grad": image,
    }


def bytes_moved(sizes: Sizes, dtype: str, what: str) -> int:
    """Returns the least bytes that the forward pass or the gradients read and write."""
    image, kernels, bias, _ = (int(np.prod(shape)) for shape in shapes_of(sizes).values())
    if what == "forward":
        return ITEM_BYTES[dtype] * (2 * image + kernels + bias)
    return ITEM_BYTES[dtype] * (3 * image + 2 * kernels + bias)


# Checking and timing.


def random_inputs(sizes: Sizes, dtype: str) -> list[np.ndarray]:
    """Returns the op's inputs, normally distributed, the same at each call."""
    rng = np.random.default_rng(0)
    return [to_storage(rng.standard_normal(shape), dtype) for shape in shapes_of(sizes).values()]


def check(device: Device, sizes: Sizes, dtype: str) -> list[str]:
    """Compares one size and type with the reference; returns a line for each failure."""
    inputs = random_inputs(sizes, dtype)
    sliced = DeviceSlice(device, sizes, dtype, inputs)
    sliced.forward()
    sliced.gradients()
    found = sliced.results()
    sliced.gradients()
    again = sliced.results()
    sliced.free()
    expected = device.reference(sizes, *(from_storage(array, dtype) for array in inputs))
    return compare(expected, found, again, sizes, dtype)


def compare(
    expected: Sequence[np.ndarray],
    found: Sequence[np.ndarray],
    again: Sequence[np.ndarray],
    sizes: Sizes,
    dtype: str,
) -> list[str]:
    """Returns a line for each result that is wrong, or that differs between two runs."""
    lines = []
    for name, wanted, first, second in zip(RESULTS, expected, found, again, strict=True):
        error = np.abs(from_storage(first, dtype) - wanted).max() / np.abs(wanted).max()
        if not error <= TOLERANCES[dtype]:  # NaN is wrong as well
            lines.append(f"{name} of {sizes}, {dtype}: error {error:.2e}")
        if first.tobytes() != second.tobytes():
            lines.append(f"{name} of {sizes}, {dtype}: two runs differ")
    return lines


def measure(device: Device, sizes: Sizes, dtype: str, repeats: int) -> list[dict[str, object]]:
    """Times the op and a copy of the features for one size and type; returns table rows."""
    sliced = DeviceSlice(device, sizes, dtype, random_inputs(sizes, dtype))
    image_bytes = ITEM_BYTES[dtype] * int(np.prod(sizes[:4]))
    copy_rate = 2 * image_bytes / device.seconds(sliced.copy, repeats)
    rows = []
    for what, work in (("forward", sliced.forward), ("gradients", sliced.gradients)):
        seconds = device.seconds(work, repeats)
        rate = bytes_moved(sizes, dtype, what) / seconds
        rows.append(
            {
                "shape": "x".join(map(str, sizes[:4])),
                "K": sizes[6],
                "type": dtype,
                "pass": what,
                "milliseconds": round(seconds * 1e3, 4),
                "GB/s": round(rate / 1e9, 1),
                "copy GB/s": round(copy_rate / 1e9, 1),
                "ratio": round(rate / copy_rate, 3),
            }
        )
    sliced.free()
    return rows


def parse_flags(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--types", nargs="+", choices=list(TOLERANCES), default=list(TOLERANCES))
    parser.add_argument("--timed-types", nargs="*", choices=list(TOLERANCES), default=["float32"])
    parser.add_argument("--repeats", type=int, default=20, help="bursts per measurement, above 0")
    parser.add_argument("--output", type=Path, metavar="CSV")
    options = parser.parse_args(arguments)
    if options.repeats < 1:
        parser.error(f"--repeats must be above 0. Received: --repeats={options.repeats}")
    return options


def write_csv(path: Path, rows: Sequence[dict[str, object]], device: str) -> None:
    """Writes the table, with the device's name and the date in every row."""
    added = {"device": device, "date": datetime.date.today().isoformat()}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], *added])
        writer.writeheader()
        writer.writerows({**row, **added} for row in rows)


def run(options: argparse.Namespace) -> int:
    """Builds, checks and times; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        device = Device(build_library(Path(folder)))
    print(f"{device.name}, {datetime.date.today()}")
    wrong = [
        line for sizes in CHECKED for dtype in options.types for line in check(device, sizes, dtype)
    ]
    print("\n".join(wrong) or f"{len(CHECKED) * len(options.types)} comparisons passed")
    rows: list[dict[str, object]] = []
    for dtype in options.timed_types:
        for shape in TIMED:
            for size in (1, 3):
                grid = (shape[1] // PIXELS_PER_CELL, shape[2] // PIXELS_PER_CELL)
                rows += measure(device, (*shape, *grid, size), dtype, options.repeats)
                for row in rows[-2:]:
                    print("  ".join(f"{name} {value}" for name, value in row.items()))
    for row in rows[:2]:
        what = str(row["pass"])
        print(
            f"{what} at {row['shape']}: {row['ratio']} of the copy's bandwidth, goal {GOALS[what]}"
        )
    if options.output and rows:
        write_csv(options.output, rows, device.name)
    return 1 if wrong else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the check; prints one line and returns 1 where it cannot run."""
    options = parse_flags(arguments)
    try:
        return run(options)
    except CheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
