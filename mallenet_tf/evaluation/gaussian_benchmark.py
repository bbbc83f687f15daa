"""Scores a network on data sets with added Gaussian noise: `mallenet_tf.evaluate --data`."""

import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mallenet_tf.common.errors import UserError, user_files, user_input, user_output
from mallenet_tf.common.files import fingerprint
from mallenet_tf.common.progress import progress
from mallenet_tf.data import open_records, prepared_images
from mallenet_tf.evaluation.benchmark import label_rows, load_denoiser, report_rows
from mallenet_tf.evaluation.protocol import Row, evaluate_gaussian
from mallenet_tf.evaluation.report import format_gaussian
from mallenet_tf.image_io import list_images, load_images, write_image
from mallenet_tf.inference.denoiser import DEFAULT_TILE

PREPARED = "tfds:"  # prefix of the name of a prepared data set; other names are folders

Patterns = str | Path | Sequence[str | Path]


def name_datasets(patterns: Sequence[str]) -> dict[str, str]:
    """Names each pattern: by its last component, or by all of it where two share that.

    A pattern `tfds:NAME` means a prepared data set and is named by all of NAME.

    Raises:
        UserError: If a pattern occurs twice.
    """
    if len(set(patterns)) < len(patterns):
        raise UserError(f"A data set is named twice. Received: --data={','.join(patterns)}")
    shorts = [
        pattern.removeprefix(PREPARED).replace("/", "_")
        if pattern.startswith(PREPARED)
        else Path(pattern).resolve().name
        for pattern in patterns
    ]
    return {
        short if shorts.count(short) == 1 else pattern.strip("/").replace("/", "_"): pattern
        for short, pattern in zip(shorts, patterns, strict=True)
    }


def run(
    weights: str | Path,
    datasets: Mapping[str, Patterns],
    sigmas: Sequence[float],
    output: Path | None = None,
    clipped: bool = False,
    ensemble: bool = False,
    save_images: Path | None = None,
    tile: int = DEFAULT_TILE,
) -> list[Row]:
    """Scores weights on data sets, prints the table and writes the CSV file.

    A noise-conditioned network is told the true sigma.

    Args:
        weights: Weights, as `models.load_model` takes them.
        datasets: From a data set's name to its clean images: a folder, glob or list of files, or
            "tfds:NAME" for the test split of one that `data.prepare` has prepared.
        sigmas: Noise levels in 8-bit units.
        output: CSV file to write; None for none.
        clipped: Whether to clip the noisy images, see `evaluation.protocol`.
        ensemble: Whether to average over flips and rotations.
        save_images: Folder for the denoised images: DATASET/sigma25/NAME.png.
        tile: Largest side denoised at once; 0 for no limit.

    Returns:
        The rows of all data sets.

    Raises:
        UserError: If weights or images are missing or damaged, or a setting cannot work.
    """
    with user_input():
        opened = {name: _open(patterns) for name, patterns in datasets.items()}
    denoiser = load_denoiser(weights, tile, ensemble)
    _note_other_levels(denoiser.model.trained_sigma, sigmas)

    def denoise(noisy: np.ndarray, sigma: float) -> np.ndarray:
        return denoiser(noisy, sigma if denoiser.takes_sigma else None)

    def save(row: Row, denoised: np.ndarray) -> None:
        if save_images:
            folder = save_images / row["dataset"] / f"sigma{row['sigma']:g}"
            with user_output(folder):
                write_image(folder / f"{row['image']}.png", denoised)

    rows: list[Row] = []
    for name, images in opened.items():
        loaded = user_files(images.load(denoiser.model.image_channels))
        shown = progress(loaded, images.number, name, unit="image")
        results = evaluate_gaussian(
            denoise, shown, sigmas, clipped=clipped, dataset=name, on_result=save
        )
        rows += label_rows(results, weights, images.data_hash, ensemble)
    report_rows(rows, format_gaussian(rows), output)
    return rows


class _Images(NamedTuple):
    """A data set's images.

    Attributes:
        number: How many.
        data_hash: Fingerprint of their files.
        load: From a number of channels to pairs of a name and a uint8 image.
    """

    number: int
    data_hash: str | None
    load: Callable[[int], Iterator[tuple[str, np.ndarray]]]


def _open(patterns: Patterns) -> _Images:
    if isinstance(patterns, str) and patterns.startswith(PREPARED):
        records = open_records(patterns.removeprefix(PREPARED), None, "test")
        load = functools.partial(prepared_images, records)
        return _Images(len(records), records.fingerprint, load)
    paths = list_images(patterns)
    return _Images(len(paths), fingerprint(paths), functools.partial(load_images, paths))


def _note_other_levels(trained: float | None, sigmas: Sequence[float]) -> None:
    others = [f"{sigma:g}" for sigma in sigmas if trained is not None and sigma != trained]
    if others:
        print(
            f"note: these weights were trained at sigma {trained:g}; the results at sigma "
            f"{', '.join(others)} show how they do elsewhere",
            file=sys.stderr,
        )
