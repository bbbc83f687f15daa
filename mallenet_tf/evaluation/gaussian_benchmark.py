"""Runs a network over benchmark data sets: what `python -m mallenet_tf.evaluate` does."""

import functools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.files import fingerprint
from mallenet_tf.data import add_gaussian_noise, open_records, prepared_images
from mallenet_tf.evaluation.evaluator import Row, evaluate
from mallenet_tf.evaluation.report import format_table, write_csv
from mallenet_tf.image_io import list_images, load_images
from mallenet_tf.image_io.image_files import write_image
from mallenet_tf.inference.denoiser import DEFAULT_TILE, Denoiser
from mallenet_tf.models import load_model, weights_path

PREPARED = "tfds:"  # before the name of a prepared data set, where folders are named otherwise


def name_datasets(patterns: Sequence[str]) -> dict[str, str]:
    """A short name for each pattern: its last component, or all of it where two share one.

    A pattern `tfds:NAME` means a prepared data set and is named by all of NAME.

    Raises:
        UserError: If a pattern is there twice.
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
    datasets: Mapping[str, str | Path | Sequence[str | Path]],
    sigmas: Sequence[float],
    output: Path | None = None,
    clipped: bool = False,
    ensemble: bool = False,
    save_images: Path | None = None,
    tile: int = DEFAULT_TILE,
) -> list[Row]:
    """Evaluates weights on data sets, prints the table and writes the CSV file.

    A noise-conditioned network is told the true sigma.

    Args:
        weights: As `models.load_model` takes them.
        datasets: From a data set's name to its clean images: a folder, glob or list of files, or
            "tfds:NAME" for the test split of one that `data.prepare` has prepared.
        sigmas: Noise levels in 8-bit units.
        output: Where the CSV file goes; None for none.
        clipped: Which track, see `evaluation.evaluator`.
        ensemble: Average over flips and rotations.
        save_images: Folder for the denoised images: DATASET/sigma25/NAME.png.
        tile: Largest side denoised at once; 0 for no limit.

    Returns:
        The rows of all data sets.

    Raises:
        FileNotFoundError: If there are no such weights or images.
        UserError, ValueError: For settings that cannot work.
    """
    opened = {name: _open(patterns) for name, patterns in datasets.items()}
    model = load_model(weights)
    denoiser = Denoiser(model, tile=tile, ensemble=ensemble)
    _warn_of_other_levels(model.trained_sigma, sigmas)
    progress = _Progress(sum(count for count, _, _ in opened.values()) * len(sigmas))

    def denoise(noisy: np.ndarray, sigma: float) -> np.ndarray:
        return denoiser(noisy, sigma if model.noise_conditioned else None)

    rows: list[Row] = []
    for dataset, (_, data_hash, load) in opened.items():
        labels = {
            "data_hash": data_hash,
            "weights": str(weights),
            "weights_hash": fingerprint([weights_path(weights)]),
            "ensemble": ensemble,
        }

        def on_result(row: Row, noisy: np.ndarray, denoised: np.ndarray) -> None:
            progress.step(row)
            if save_images:
                folder = save_images / row["dataset"] / f"sigma{row['sigma']:g}"
                write_image(folder / f"{row['image']}.png", denoised)

        results = evaluate(
            denoise,
            load(model.image_channels),
            sigmas,
            add_noise=add_gaussian_noise,
            clipped=clipped,
            dataset=dataset,
            on_result=on_result,
        )
        rows += [{**labels, **row} for row in results]
    progress.clear()
    print(format_table(rows))
    if output:
        write_csv(output, rows)
        print(f"Wrote {output}")
    return rows


def _open(
    patterns: str | Path | Sequence[str | Path],
) -> tuple[int, str | None, Callable[[int], Iterator[tuple[str, np.ndarray]]]]:
    """How many images a data set has, the hash of its files, and what loads them."""
    if isinstance(patterns, str) and patterns.startswith(PREPARED):
        records = open_records(patterns.removeprefix(PREPARED), None, "test")
        return len(records), records.fingerprint, functools.partial(prepared_images, records)
    paths = list_images(patterns)
    return len(paths), fingerprint(paths), functools.partial(load_images, paths)


def _warn_of_other_levels(trained: float | None, sigmas: Sequence[float]) -> None:
    others = [f"{sigma:g}" for sigma in sigmas if trained is not None and sigma != trained]
    if others:
        print(
            f"note: these weights were trained at sigma {trained:g}; the results at sigma "
            f"{', '.join(others)} show how they do elsewhere",
            file=sys.stderr,
        )


class _Progress:
    """One line, rewritten in place, on terminals only; the table says the rest."""

    def __init__(self, total: int):
        self.total, self.done, self.start = total, 0, time.monotonic()
        self.visible = sys.stderr.isatty()

    def step(self, row: Row) -> None:
        self.done += 1
        left = (time.monotonic() - self.start) / self.done * (self.total - self.done)
        line = f"{self.done}/{self.total}  {row['image']}  sigma {row['sigma']:g}"
        self._show(f"{line}  {row['psnr']:.2f} dB  {left:.0f} s left")

    def clear(self) -> None:
        self._show("")

    def _show(self, line: str) -> None:
        if self.visible:
            print(f"\r\x1b[K{line[:100]}", end="", file=sys.stderr, flush=True)
