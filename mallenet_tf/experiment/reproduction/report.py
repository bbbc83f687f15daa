"""Results as CSV, Markdown and a figure: what was measured beside what the paper prints."""

import dataclasses
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import scipy.stats

from mallenet_tf.common.files import atomic_path
from mallenet_tf.experiment.reproduction.item import METRICS, Item, Plot
from mallenet_tf.profiling.benchmarking import write_csv
from mallenet_tf.profiling.report import matplotlib_figure

DIGITS = {"psnr": 2, "ssim": 4, "ms": 1, "megabytes": 0, "share": 1}
MOST_NAMED = 10  # lines of a legend; more are named beside their last points
UNITS = {
    **{"psnr": "PSNR, dB", "ssim": "SSIM", "gflops": "GFLOPs", "gmacs": "GMACs"},
    **{"parameters": "parameters, M", "ms": "latency, ms", "megabytes": "memory, MB"},
    "share": "share, %",
}


@dataclasses.dataclass(frozen=True)
class Result:
    """What one training of a network reached on one test set, or what it costs.

    Attributes:
        labels: Values by axis of the grid, and of the test: data, noise, motion, frame.
        metrics: Numbers by metric.
        seed: Seed of the training; 0 if it was not trained here.
        run: Name of the run's folder, or of the weights.
        images: PSNR by image.
    """

    labels: Mapping[str, str]
    metrics: Mapping[str, float]
    seed: int = 0
    run: str = ""
    images: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Line:
    """One metric of one network on one test set, over all its trainings, and as published."""

    labels: Mapping[str, str]
    metric: str
    values: Sequence[float] = ()
    published: float | None = None

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values) if self.values else math.nan

    def cells(self) -> tuple[str, str, str]:
        """Returns measured mean, standard deviation and published value as text."""
        digits = DIGITS.get(self.metric, 3)
        mean = f"{self.mean:.{digits}f}" if self.values else ""
        spread = f"{statistics.stdev(self.values):.{digits}f}" if len(self.values) > 1 else ""
        return mean, spread, "" if self.published is None else f"{self.published:g}"


def make_lines(item: Item, results: Sequence[Result]) -> list[Line]:
    """Joins results over seeds and with the published numbers; other methods come last."""
    published = item.published()
    used: set[tuple[int, str]] = set()
    groups: dict[tuple[Any, str], list[float]] = {}
    labels: dict[tuple[Any, str], Mapping[str, str]] = {}
    for result in results:
        for metric, value in result.metrics.items():
            key = (tuple(sorted(result.labels.items())), metric)
            groups.setdefault(key, []).append(value)
            labels[key] = result.labels
    lines = []
    for key, values in groups.items():
        metric = key[1]
        number, stated = _find(published, labels[key], metric)
        used.add((number, metric))
        lines.append(Line(labels[key], metric, values, stated))
    for number, row in enumerate(published):
        own = {name: text for name, text in row.items() if name not in METRICS}
        lines += [
            Line(own, metric, (), row[metric])
            for metric in METRICS
            if metric in row and (number, metric) not in used
        ]
    return lines


def _find(
    published: Sequence[Mapping[str, Any]], labels: Mapping[str, str], metric: str
) -> tuple[int, float | None]:
    """Returns number and value of the published row for these labels, (-1, None) if none is."""
    for number, row in enumerate(published):
        own = {name: text for name, text in row.items() if name not in METRICS}
        fits = all(str(labels.get(name, "")).lower() == text.lower() for name, text in own.items())
        if metric in row and fits and ("data" in own) == ("data" in labels):
            return number, row[metric]
    return -1, None


def paired_tests(item: Item, results: Sequence[Result]) -> Iterator[str]:
    """Compares methods image by image: a line for each, by Wilcoxon's signed-rank test.

    An image's PSNR is the mean over the seeds. The paired images say whether a difference is one of
    the test set; the standard deviation over seeds says whether it is one of the training.
    """
    if item.compare is None:
        return
    groups: dict[tuple, dict[str, dict[str, list[float]]]] = {}
    for result in results:
        if not result.images or item.compare not in result.labels:
            continue
        others = tuple(
            sorted((key, value) for key, value in result.labels.items() if key != item.compare)
        )
        methods = groups.setdefault(others, {})
        images = methods.setdefault(result.labels[item.compare], {})
        for name, value in result.images.items():
            images.setdefault(name, []).append(value)
    for others, methods in groups.items():
        first, *more = methods
        for method in more:
            shared = sorted(set(methods[first]) & set(methods[method]))
            gains = [
                statistics.fmean(methods[method][name]) - statistics.fmean(methods[first][name])
                for name in shared
            ]
            if len(gains) < 6 or not any(gains):  # the test says nothing of fewer
                continue
            p = scipy.stats.wilcoxon(gains).pvalue
            where = ", ".join(f"{key} {value}" for key, value in others)
            yield (
                f"{method} against {first} ({where}): {statistics.fmean(gains):+.2f} dB on "
                f"{len(gains)} images, p = {p:.2g}"
            )


def markdown(item: Item, lines: Sequence[Line], tests: Sequence[str], machine: Mapping) -> str:
    """Formats a table: a line per network and test, measured and published beside each other."""
    stated = {line.metric for line in lines if line.published is not None}
    hidden = {"gmacs"} if "gmacs" not in stated else {"gflops"} - stated
    found_metrics = {line.metric for line in lines} - hidden
    metrics = [metric for metric in METRICS if metric in found_metrics]
    labels = list(dict.fromkeys(name for line in lines for name in line.labels))
    rows: dict[tuple[str, ...], dict[str, Line]] = {}
    for line in lines:
        key = tuple(str(line.labels.get(name, "")) for name in labels)
        rows.setdefault(key, {})[line.metric] = line
    head = [*labels, *(UNITS[metric] for metric in metrics)]
    text = [
        f"# {item.name}: {item.title}",
        "",
        f"Measured on {machine['hardware']}, {machine['date']}, TensorFlow "
        f"{machine['tensorflow']}. Each cell: measured, with the standard deviation over seeds, / "
        "published.",
        "",
        f"| {' | '.join(head)} |",
        "|---" * len(head) + "|",
    ]
    for key, found in rows.items():
        cells = [_both(found[metric]) if metric in found else "" for metric in metrics]
        text.append(f"| {' | '.join([*key, *cells])} |")
    if tests:
        text += ["", "Paired over images, Wilcoxon's signed-rank test:", ""]
        text += [f"- {test}" for test in tests]
    return "\n".join(text) + "\n"


def _both(line: Line) -> str:
    mean, spread, published = line.cells()
    measured = f"{mean} ± {spread}" if spread else mean or "-"
    return f"{measured} / {published}" if published else measured


def write_results(
    path: Path, item: Item, results: Sequence[Result], machine: Mapping[str, str]
) -> None:
    """Writes a CSV row for each training, test and network, with the published numbers."""
    published = item.published()
    names = list(dict.fromkeys(name for result in results for name in result.labels))
    metrics = [each for each in METRICS if any(each in result.metrics for result in results)]
    rows = []
    for result in results:
        row: dict[str, Any] = {name: result.labels.get(name, "") for name in names}
        row |= {"seed": result.seed, "run": result.run}
        for metric in metrics:
            value = result.metrics.get(metric)
            stated = _find(published, result.labels, metric)[1]
            row[metric] = "" if value is None else f"{value:.6g}"
            row[f"{metric}_published"] = "" if stated is None else f"{stated:g}"
        rows.append(row)
    write_csv(path, rows, machine)


def draw(path: Path, plot: Plot, lines: Sequence[Line], title: str) -> None:
    """Draws a plot: measured points with the spread over seeds, published ones as crosses."""
    shown = [line for line in lines if line.metric == plot.y]
    panels = list(dict.fromkeys(_panel(plot, line) for line in shown))
    figure = matplotlib_figure().Figure(figsize=(6 * len(panels), 4.5), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        curves: dict[tuple[str, bool], list[tuple[float, float, float]]] = {}
        for line in (line for line in shown if _panel(plot, line) == panel):
            name = ", ".join(str(line.labels.get(label, "")) for label in plot.lines)
            for measured, y in ((True, line.mean), (False, line.published)):
                x = _position(plot.x, line, lines, measured)
                if y is not None and not math.isnan(y) and x is not None:
                    spread = statistics.stdev(line.values) if len(line.values) > 1 else 0.0
                    curves.setdefault((name, measured), []).append((x, y, spread * measured))
        for (name, measured), points in curves.items():
            columns = list(zip(*sorted(points), strict=True))
            label = name if measured else f"{name} (paper)"
            axes.errorbar(*columns, fmt="o-" if measured else "x", capsize=3, label=label)
            if len(curves) > MOST_NAMED:
                place = (columns[0][-1], columns[1][-1])
                axes.annotate(label, place, (3, 4), textcoords="offset points", fontsize=6)
        axes.set(xlabel=UNITS.get(plot.x, plot.x), ylabel=UNITS.get(plot.y, plot.y))
        if plot.log:
            axes.set_xscale("log")
        if panel:
            axes.set_title(f"{plot.panels} {panel}", fontsize=9)
        axes.grid(alpha=0.3, which="both")
        if len(curves) <= MOST_NAMED:
            axes.legend(fontsize=7)
    figure.suptitle(title, fontsize=9)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _panel(plot: Plot, line: Line) -> str:
    return str(line.labels.get(plot.panels, "")) if plot.panels else ""


def _position(x: str, point: Line, lines: Sequence[Line], measured: bool) -> float | None:
    """Returns where a point stands: a label of its own, or the cost of its network."""
    if x in point.labels:
        return float(point.labels[x])
    own = _network(point)
    for line in lines:
        same = all(own.get(name) == value for name, value in _network(line).items())
        if line.metric == x and same:
            value = line.mean if measured else line.published
            if value is not None and not math.isnan(value):
                return value
    return None


def _network(line: Line) -> dict[str, str]:
    return {name: value for name, value in line.labels.items() if name != "data"}
