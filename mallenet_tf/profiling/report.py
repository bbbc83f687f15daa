"""Reports what networks cost: a table, a CSV file, the papers' tables, a plot."""

import csv
import dataclasses
import os
from collections.abc import Mapping, Sequence
from types import ModuleType

from mallenet_tf.common.errors import optional_module
from mallenet_tf.common.files import atomic_path
from mallenet_tf.profiling.published import Published, Table


@dataclasses.dataclass(frozen=True)
class Profile:
    """The cost of one network at one size, with one implementation and precision.

    Attributes:
        model: Name or weights, as the user gave them.
        network: Name of the network.
        height: Height of the images in pixels.
        width: Width of the images in pixels.
        implementation: Implementation of the fused ops: "native" or "reference".
        precision: "float32", "mixed_bfloat16" or "mixed_float16".
        parameters: Number of trainable values.
        gmacs: Multiply-adds per image, in 1e9.
        gflops: Twice `gmacs`, the convention of MalleConv's tables for its own networks.
        batch: Batch size of the paper's protocol, the largest that fits.
        profiler_ms: Milliseconds per image by that protocol.
        median_ms: Median of the wall-clock times at batch 1.
        p90_ms: 90th percentile of the wall-clock times at batch 1.
        megapixels: Megapixels per second at the median.
        peak_mb: Peak memory at batch 1 in 1e6 bytes, see `Latency.peak_bytes`.
        hardware: Name of the processor or GPU.
    """

    model: str
    network: str
    height: int
    width: int
    implementation: str
    precision: str
    parameters: int
    gmacs: float
    gflops: float
    batch: int
    profiler_ms: float
    median_ms: float
    p90_ms: float
    megapixels: float
    peak_mb: float
    hardware: str

    @property
    def way(self) -> str:
        """Implementation and precision."""
        return f"{self.implementation} {self.precision}"


COLUMNS = tuple(field.name for field in dataclasses.fields(Profile))


def write_csv(path: str | os.PathLike, profiles: Sequence[Profile]) -> None:
    """Writes profiles as UTF-8 CSV with the columns `COLUMNS`."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(map(_cells, profiles))


def _cells(profile: Profile) -> list[str]:
    values = dataclasses.astuple(profile)
    return [f"{value:.10g}" if isinstance(value, float) else str(value) for value in values]


def format_table(profiles: Sequence[Profile]) -> str:
    """Formats profiles as a table with a line for each."""
    lines = [
        f"{'model':<24} {'size':>9} {'implementation':<14} {'precision':<14} {'params':>8} "
        f"{'GMACs':>8} {'GFLOPs':>8} {'batch':>5} {'profiler':>9} {'median':>9} {'p90':>9} "
        f"{'MP/s':>6} {'peak':>8}"
    ]
    for profile in profiles:
        lines.append(
            f"{profile.model:<24} {f'{profile.width}x{profile.height}':>9} "
            f"{profile.implementation:<14} {profile.precision:<14} "
            f"{profile.parameters / 1e6:>7.2f}M {profile.gmacs:>8.2f} {profile.gflops:>8.2f} "
            f"{profile.batch:>5} {profile.profiler_ms:>6.1f} ms {profile.median_ms:>6.1f} ms "
            f"{profile.p90_ms:>6.1f} ms {profile.megapixels:>6.2f} {profile.peak_mb:>5.0f} MB"
        )
    lines += [
        "GFLOPs: 2 x multiply-adds. profiler: per image at that batch, by TensorFlow's profiler. "
        "median, p90,",
        "MP/s: wall-clock time at batch 1. peak: memory at batch 1, by TensorFlow's allocator, "
        "else growth of the process.",
    ]
    return "\n".join(lines)


def format_breakdown(title: str, milliseconds: Mapping[str, float], count: int = 12) -> str:
    """Formats the largest parts of a total time, a line for each.

    Args:
        title: Heading.
        milliseconds: Times by name, largest first.
        count: Number of lines; the rest is summed in one more.
    """
    total = sum(milliseconds.values())
    rows = list(milliseconds.items())
    shown = rows[:count]
    if len(rows) > count:
        shown.append((f"{len(rows) - count} more", sum(value for _, value in rows[count:])))
    lines = [f"{title}: {total:.1f} ms, added up over threads"]
    lines += [f"  {value:>8.2f} ms {100 * value / total:>5.1f} %  {name}" for name, value in shown]
    return "\n".join(lines)


def format_published(table: Table, profiles: Sequence[Profile]) -> str:
    """Formats a paper's table, with our fastest profile of the same network and size beside it."""
    lines = [table.source, f"  published: {table.conditions}"]
    ours = [_ours(row, table, profiles) for row in table.rows]
    if any(ours):
        lines.append(f"  ours: {', '.join(sorted({profile.hardware for profile in profiles}))}")
    for row, beside in zip(table.rows, ours, strict=True):
        latency = "-" if row.milliseconds is None else f"{row.milliseconds:.2f} ms"
        cost = "-" if row.gflops is None else f"{row.gflops:.2f} G"
        lines.append(f"  {row.method:<18} {latency:>10} {cost:>10}   {beside}".rstrip())
    return "\n".join(lines)


def _ours(row: Published, table: Table, profiles: Sequence[Profile]) -> str:
    same = [
        profile
        for profile in profiles
        if profile.network == row.model
        and "(" not in profile.model  # built with options
        and (profile.height, profile.width) == (table.height, table.width)
    ]
    if not same:
        return ""
    best = min(same, key=lambda profile: profile.profiler_ms)
    return f"{best.profiler_ms:.2f} ms {best.gflops:>9.2f} G   {best.way}, batch {best.batch}"


def matplotlib_figure() -> ModuleType:
    """Imports `matplotlib.figure`, or raises UserError where it is not installed."""
    return optional_module("matplotlib.figure", "matplotlib", "profile")


def draw_plot(
    path: str | os.PathLike, profiles: Sequence[Profile], psnrs: Mapping[str, float]
) -> None:
    """Draws PSNR over latency: a point per profile with a PSNR, the fastest of a model labeled.

    Args:
        path: Image file to write; its suffix decides the format.
        profiles: Profiles at any sizes.
        psnrs: PSNR in dB by model.

    Raises:
        UserError: If matplotlib is not installed.
    """
    figure = matplotlib_figure().Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    shown = [profile for profile in profiles if profile.model in psnrs]
    for way in dict.fromkeys(profile.way for profile in shown):
        points = [profile for profile in shown if profile.way == way]
        x = [profile.profiler_ms for profile in points]
        axes.plot(x, [psnrs[profile.model] for profile in points], "o", label=way)
    slowest_first = sorted(shown, key=lambda profile: -profile.profiler_ms)
    fastest = {f"{one.model}, {one.width}x{one.height}": one for one in slowest_first}
    for name, profile in fastest.items():
        place = (profile.profiler_ms, psnrs[profile.model])
        axes.annotate(name, place, (4, 4), textcoords="offset points", fontsize="small")
    axes.set(xscale="log", xlabel="latency, ms an image", ylabel="PSNR, dB")
    axes.set_title(shown[0].hardware, fontsize="small")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
