"""What the user asks of a reproduction."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from mallenet_tf.common.errors import UserError

LEAVES = "leaves"  # synthetic photographs and scenes, which need no files
SHIPPED = "shipped"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the user asks of a reproduction.

    Attributes:
        output: Folder for trainings, scores and results.
        photographs: Folders or globs to train on; `LEAVES` for synthetic ones.
        data: Folders or globs to score on; each is a test set or subset.
        scale: Length of the trainings, of that published.
        seeds: Number of trainings of each network, with seeds from 0.
        weights: Trained weights by the name of a cell; if there are any, nothing is trained.
            `SHIPPED` alone stands for those that the item names.
        only: Values of the grid to keep, by axis.
        gin_params: Bindings for every training, such as a batch size that fits the machine.
        limit: Number of images of each test set, the first ones; None for all.
    """

    output: Path
    photographs: Sequence[str] = ()
    data: Sequence[str] = ()
    scale: float = 1.0
    seeds: int = 1
    weights: Mapping[str, str] = dataclasses.field(default_factory=dict)
    only: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    gin_params: Sequence[str] = ()
    limit: int | None = None


def parse_pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    """Parses KEY=VALUE texts of a flag; the value may hold more equal signs.

    Raises:
        UserError: If one has another form.
    """
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise UserError(f"--{flag} takes NAME=VALUE. Received: --{flag}={text}")
        pairs[key] = value
    return pairs


def parse_settings(
    output: str | None,
    photographs: Sequence[str],
    data: Sequence[str],
    scale: float,
    seeds: int,
    weights: Sequence[str],
    only: Sequence[str],
    gin_params: Sequence[str],
    limit: int | None,
) -> Settings:
    """Makes settings of the values of flags.

    Raises:
        UserError: If one cannot work.
    """
    if not output:
        raise UserError("Give --output, a folder for trainings and results.")
    if not 0 < scale <= 1:
        raise UserError(f"--scale is above 0 and at most 1. Received: --scale={scale:g}")
    shipped = list(weights) == [SHIPPED]
    chosen = {SHIPPED: SHIPPED} if shipped else parse_pairs("weights", weights)
    kept = {axis: values.split("|") for axis, values in parse_pairs("only", only).items()}
    return Settings(Path(output), photographs, data, scale, seeds, chosen, kept, gin_params, limit)
