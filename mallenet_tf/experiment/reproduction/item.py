"""What a table or figure is made of: a grid of networks, a measure, published numbers."""

import csv
import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mallenet_tf.common.errors import UserError

PUBLISHED = Path(__file__).resolve().parent / "published"
# What is measured of a network; other columns of a table of results are labels.
METRICS = ("psnr", "ssim", "gflops", "gmacs", "parameters", "ms", "megabytes", "share")

Bindings = tuple[str, ...]
Axis = Mapping[str, Bindings]


@dataclasses.dataclass(frozen=True)
class Plot:
    """A figure of results.

    Attributes:
        x: Column of the horizontal axis.
        y: Column of the vertical axis.
        lines: Labels whose combinations are a line each.
        panels: Label with a panel for each value; None for one panel.
        log: Whether the horizontal axis is logarithmic.
    """

    x: str
    y: str = "psnr"
    lines: Sequence[str] = ()
    panels: str | None = None
    log: bool = False


@dataclasses.dataclass(frozen=True)
class Item:
    """A table or figure.

    Attributes:
        name: PAPER/table1 or PAPER/fig4.
        title: One line.
        needs: What the command must be given, in words.
        gin: Files that describe the training of a network; none where nothing is trained.
        bindings: More bindings, for all networks.
        axes: The grid: from an axis to its values, each with its bindings.
        measure: Key of `measures.MEASURES`.
        options: Arguments of the measure.
        steps: Steps of a training as published.
        baselines: Methods without training, of `evaluation.baselines`.
        compare: Axis whose values are methods; each is compared with the first, image by image.
        weights: Shipped weights that `--weights=shipped` scores, by cell.
        plot: Figure to draw; None for none.
    """

    name: str
    title: str
    needs: str
    gin: Bindings = ()
    bindings: Bindings = ()
    axes: Mapping[str, Axis] = dataclasses.field(default_factory=dict)
    measure: str = "gaussian"
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    steps: int = 0
    baselines: Bindings = ()
    compare: str | None = None
    weights: Mapping[str, str] = dataclasses.field(default_factory=dict)
    plot: Plot | None = None

    def cells(self, only: Mapping[str, Sequence[str]]) -> Iterator["Cell"]:
        """Yields the networks of the grid.

        Args:
            only: Values to keep, by axis; all of other axes.

        Raises:
            UserError: If there is no such axis or value.
        """
        for axis, values in only.items():
            unknown = [value for value in values if value not in self.axes.get(axis, {})]
            if unknown:
                known = "; ".join(f"{name}={'|'.join(each)}" for name, each in self.axes.items())
                raise UserError(f"{self.name} has {known}. Received: --only={axis}={unknown[0]}")
        kept = {
            axis: {key: own for key, own in values.items() if key in only.get(axis, values)}
            for axis, values in self.axes.items()
        }
        for labels in itertools.product(*kept.values()):
            chosen = dict(zip(kept, labels, strict=True))
            own = [line for axis, label in chosen.items() for line in kept[axis][label]]
            yield Cell(chosen, (*self.bindings, *own))

    def published(self) -> list[dict[str, Any]]:
        """Reads what the paper prints: labels as text, metrics as numbers, nothing where blank."""
        path = PUBLISHED / f"{self.name.replace('/', '_')}.csv"
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return [
                {key: _value(key, text) for key, text in row.items() if text}
                for row in csv.DictReader(file)
            ]


@dataclasses.dataclass(frozen=True)
class Cell:
    """A network of a grid: its labels by axis, and its bindings."""

    labels: Mapping[str, str]
    bindings: Bindings

    @property
    def name(self) -> str:
        """The labels in one word, for folders and `--weights`."""
        return "/".join(self.labels.values()) or "network"


def _value(key: str, text: str) -> str | float:
    return float(text) if key in METRICS else text


def numbers(binding: str, *values: float) -> dict[str, Bindings]:
    """Returns an axis of a numeric binding."""
    return {f"{value:g}": (f"{binding} = {value}",) for value in values}


def sigmas(*values: float) -> dict[str, Bindings]:
    """Returns an axis of levels of white noise."""
    return numbers("GaussianNoise.sigma", *map(float, values))
