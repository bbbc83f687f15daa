"""Reports the measurements of bench_slice.py: table lines, a CSV file, a plot and the goals."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slice_implementations import Case, Shape

from mallenet_tf.common.files import atomic_path
from mallenet_tf.profiling.benchmarking import Timing

MEGABYTE = 1e6


@dataclass(frozen=True)
class Row:
    """The measurements of one implementation on one case.

    Attributes:
        case: The case.
        backward: Whether the pass is forward + backward.
        implementation: Name of the implementation.
        timing: Time of a call.
        native_ratio: Median time relative to the native op's.
        copy_seconds: Time to copy as many bytes as the pass must read and write.
        extra_bytes: Peak memory beyond inputs, outputs and gradients.
        kernel_bytes: Size of kernels and bias, and with `backward` of their gradients.
        note: Why something was not measured.
    """

    case: Case
    backward: bool
    implementation: str
    timing: Timing | None = None
    native_ratio: float | None = None
    copy_seconds: float | None = None
    extra_bytes: int | None = None
    kernel_bytes: int = 0
    note: str = ""

    @property
    def copy_ratio(self) -> float | None:
        """Speed as a fraction of the copy's."""
        if self.timing is None or self.copy_seconds is None:
            return None
        return self.copy_seconds / self.timing.median


TABLE_HEAD = (
    f"    {'':<20}{'median ms':>11}{'best ms':>11}{'x native':>10}{'of copy':>9}{'extra MB':>10}"
)


def table_line(row: Row) -> str:
    """Formats a row of the table under `TABLE_HEAD`."""
    name = f"    {row.implementation:<20}"
    if row.timing is None and row.extra_bytes is None:
        return f"{name}  {row.note}"
    times = [row.timing.median, row.timing.best] if row.timing else [None, None]
    cells = [
        *(f"{_number(time and time * 1e3, 3):>11}" for time in times),
        f"{_number(row.native_ratio, 2):>10}",
        f"{_percent(row.copy_ratio):>9}",
        f"{_number(None if row.extra_bytes is None else row.extra_bytes / MEGABYTE, 1):>10}",
    ]
    return name + "".join(cells)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


def csv_cells(row: Row) -> dict[str, object]:
    """Returns a row of the CSV file, with empty cells for what was not measured."""
    timing = row.timing
    return {
        "shape": "x".join(map(str, row.case.shape)),
        "kernel_size": row.case.kernel_size,
        "pass": pass_name(row.backward),
        "implementation": row.implementation,
        "median_ms": "" if timing is None else f"{timing.median * 1e3:.4f}",
        "best_ms": "" if timing is None else f"{timing.best * 1e3:.4f}",
        "calls": "" if timing is None else timing.calls,
        "time_to_native": "" if row.native_ratio is None else f"{row.native_ratio:.3f}",
        "copy_ms": "" if row.copy_seconds is None else f"{row.copy_seconds * 1e3:.4f}",
        "fraction_of_copy": "" if row.copy_ratio is None else f"{row.copy_ratio:.3f}",
        "extra_mb": "" if row.extra_bytes is None else f"{row.extra_bytes / MEGABYTE:.3f}",
        "kernels_mb": f"{row.kernel_bytes / MEGABYTE:.3f}",
        "note": row.note,
    }


def pass_name(backward: bool) -> str:
    """Returns the name of a pass in tables and files."""
    return "forward + backward" if backward else "forward"


def goals(rows: Sequence[Row], cache: int | None) -> Iterator[str]:
    """Yields a line for each of the project's goals that the rows cover.

    Args:
        rows: Rows of one run.
        cache: Bytes of the last-level cache; the goal for the copy applies to larger arrays.
    """
    found = Found(rows)
    for suffix in ("_eager", ""):
        for shape, goal in (((1, 256, 256, 16), 8), ((1, 3000, 4000, 16), 5)):
            ratios = found.ratios(f"composition{suffix}", 1, False, f"native{suffix}", shape)
            what = f"K=1 forward against composition{suffix}, {_name(shape)}"
            yield from _at_least(what, ratios, goal)
    large = [
        row
        for row in found.native(1, backward=False)
        if cache is not None and row.case.values * 4 > cache
    ]
    fractions = [row.copy_ratio for row in large if row.copy_ratio is not None]
    if fractions:
        yield _verdict(
            "K=1 forward, speed of the copy, arrays larger than the cache",
            f"{100 * min(fractions):.0f} to {100 * max(fractions):.0f} %",
            "at least 80 %",
            min(fractions) >= 0.8,
        )
    for suffix in ("_eager", ""):
        ratios = found.ratios(f"composition{suffix}", 1, True, f"native{suffix}")
        yield from _at_least(f"K=1 forward + backward against composition{suffix}", ratios, 5)
    for name in ("composition_patches", "composition"):
        ratios = found.ratios(name, 3, False)
        yield from _at_least(f"K=3 forward against {name}", ratios, 8)
    slower = found.three_to_one()
    if slower:
        text = f"{min(slower):.1f} to {max(slower):.1f} x"
        yield _verdict("K=3 forward, time to that of K=1", text, "at most 3 x", max(slower) <= 3)
    extra = [
        row.extra_bytes / MEGABYTE
        for row in found.native(1, backward=True)
        if row.extra_bytes is not None
    ]
    if extra:
        text = f"{min(extra):.2f} to {max(extra):.2f} MB"
        yield _verdict("K=1 extra memory, forward + backward", text, "below 1 MB", max(extra) < 1)


class Found:
    """Rows by implementation, kernel size and pass."""

    def __init__(self, rows: Sequence[Row]):
        self._rows = rows

    def native(self, kernel_size: int, backward: bool) -> list[Row]:
        return self._select("native", kernel_size, backward)

    def ratios(
        self,
        name: str,
        kernel_size: int,
        backward: bool,
        base: str = "native",
        shape: Shape | None = None,
    ) -> list[float]:
        """Returns the time of an implementation relative to that of `base`, for each shape."""
        bases = {row.case.shape: row.timing for row in self._select(base, kernel_size, backward)}
        return [
            row.timing.median / quick.median
            for row in self._select(name, kernel_size, backward)
            if row.timing is not None
            and (quick := bases.get(row.case.shape)) is not None
            and shape in (None, row.case.shape)
        ]

    def three_to_one(self) -> list[float]:
        """Returns native forward times of K = 3 relative to K = 1, for each shape."""
        ones = {row.case.shape: row.timing for row in self.native(1, backward=False)}
        return [
            row.timing.median / one.median
            for row in self.native(3, backward=False)
            if row.timing is not None and (one := ones.get(row.case.shape)) is not None
        ]

    def _select(self, name: str, kernel_size: int, backward: bool) -> list[Row]:
        wanted = (name, kernel_size, backward)
        return [
            row
            for row in self._rows
            if (row.implementation, row.case.kernel_size, row.backward) == wanted
        ]


def _name(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _at_least(what: str, ratios: Sequence[float], goal: float) -> Iterator[str]:
    if ratios:
        spread = f"{min(ratios):.1f}"
        if len(ratios) > 1:
            spread += f" to {max(ratios):.1f}"
        yield _verdict(what, f"{spread} x", f"at least {goal:g} x", min(ratios) >= goal)


def _verdict(what: str, measured: str, goal: str, met: bool) -> str:
    return f"    {what:<62}{measured:>17}   goal {goal:<15}{'met' if met else 'MISSED'}"


def plot_obstacle() -> str | None:
    """Returns why no plot can be drawn; None if one can."""
    if importlib.util.find_spec("matplotlib") is None:
        return (
            "no plot: matplotlib is not installed (pip install 'mallenet-tf[profile]' installs it)"
        )
    return None


def draw(
    path: Path, rows: Sequence[Row], memory_shapes: Sequence[Shape], machine: Mapping[str, str]
) -> None:
    """Draws the memory for some shapes, like the paper's Fig. 10, and the times for all.

    The memory is that of forward + backward beyond the features, their gradient and the output. It
    includes the kernels, because the op's purpose is to need few of them.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    memory = [
        row
        for row in rows
        if row.backward and row.case.kernel_size == 1 and row.case.shape in memory_shapes
    ]
    _bar_groups(
        left,
        [_name(shape) for shape in memory_shapes],
        {
            label: {
                _name(row.case.shape): (row.extra_bytes + row.kernel_bytes) / MEGABYTE
                for row in memory
                if row.implementation == name and row.extra_bytes is not None
            }
            for name, label in MEMORY_LABELS.items()
        },
    )
    left.set_title("Memory of forward + backward, K = 1,\nbeyond features and output")
    left.set_ylabel("MB")
    timed = [row for row in rows if row.timing and row.backward and row.case.kernel_size == 1]
    _bar_groups(
        right,
        list(dict.fromkeys(_name(row.case.shape) for row in timed)),
        {
            name: {
                _name(row.case.shape): row.timing.median * 1e3
                for row in timed
                if row.timing and row.implementation == name
            }
            for name in dict.fromkeys(row.implementation for row in timed)
        },
    )
    right.set_title("Time of forward + backward, K = 1,\nlower is better")
    right.set_ylabel("ms")
    right.set_yscale("log")
    figure.suptitle(f"{machine['hardware']}, {machine['date']}", fontsize=9)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


MEMORY_LABELS = {
    "native": "this op",
    "composition": "upsample, then apply",
    "per_pixel": "per-pixel prediction",
}


def _bar_groups(
    axes: Any, groups: Sequence[str], series: Mapping[str, Mapping[str, float]]
) -> None:
    """Draws a bar for each series in each group where it has a value."""
    width = 0.8 / max(1, len(series))
    for index, (label, values) in enumerate(series.items()):
        positions = [place + index * width for place, group in enumerate(groups) if group in values]
        heights = [values[group] for group in groups if group in values]
        axes.bar(positions, heights, width, label=label)
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(groups))], groups, fontsize=8)
    if series:
        axes.legend(fontsize=8)
