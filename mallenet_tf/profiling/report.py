"""Tables of what networks cost: for reading, for spreadsheets, beside the papers', as a plot."""

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
    """The cost of one network at one size, in one way of running it.

    Attributes:
        model: what was profiled, as the user named it.
        network: the network's name.
        height, width: of the images, in pixels.
        implementation: of the fused ops: "native" or "reference".
        precision: "float32", "mixed_bfloat16" or "mixed_float16".
        parameters: trainable values.
        gmacs: 1e9 multiply-adds an image.
        gflops: twice as many, the convention of MalleConv's tables for its own networks.
        batch: the largest that fits, of the paper's protocol.
        profiler_ms: per image, by that protocol.
        median_ms, p90_ms: of the clock's times at batch 1.
        megapixels: a second, at the median.
        peak_mb: 1e6 bytes of memory at batch 1, see `Latency.peak_bytes`.
        hardware: what ran it.
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
        """How it was run, in two words."""
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
    """Profiles as a table: a line for each, under the hardware's name."""
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
        "MP/s: by the clock at batch 1. peak: memory at batch 1, by TensorFlow's allocator, else "
        "growth of the process.",
    ]
    return "\n".join(lines)


def format_breakdown(title: str, milliseconds: Mapping[str, float], count: int = 12) -> str:
    """The largest shares of a time, a line for each.

    Args:
        title: what they are.
        milliseconds: by name, largest first.
        count: how many lines; the rest is one more.
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
    """A paper's table with our fastest way of running the same network at its size beside it."""
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
        and (profile.height, profile.width) == (table.height, table.width)
    ]
    if not same:
        return ""
    best = min(same, key=lambda profile: profile.profiler_ms)
    return f"{best.profiler_ms:.2f} ms {best.gflops:>9.2f} G   {best.way}, batch {best.batch}"


def matplotlib_figure() -> ModuleType:
    """What draws plots, or `UserError` where it is not installed."""
    return optional_module("matplotlib.figure", "matplotlib", "profile")


def draw_plot(
    path: str | os.PathLike, profiles: Sequence[Profile], psnrs: Mapping[str, float]
) -> None:
    """Draws PSNR over latency: a point for each profile whose model has a PSNR, the fastest named.

    Args:
        path: an image file; its suffix decides the format.
        profiles: at any sizes.
        psnrs: in dB, by model.

    Raises:
        UserError: if matplotlib is not installed.
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
