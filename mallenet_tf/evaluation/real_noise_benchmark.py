"""Scores a network on real noise: `mallenet_tf.evaluate --pairs` and `--sidd`."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mallenet_tf.common.errors import UserError, user_files, user_input
from mallenet_tf.common.files import fingerprint
from mallenet_tf.common.progress import progress
from mallenet_tf.data.datasets.matlab import sidd_blocks
from mallenet_tf.evaluation.benchmark import label_rows, load_denoiser, report_rows
from mallenet_tf.evaluation.protocol import Row, evaluate_pairs
from mallenet_tf.evaluation.report import format_pairs
from mallenet_tf.image_io import list_pairs, load_pairs
from mallenet_tf.inference.denoiser import DEFAULT_TILE
from mallenet_tf.inference.single_image import denoise_image

SIDD_NOISY, SIDD_CLEAN = "ValidationNoisyBlocksSrgb.mat", "ValidationGtBlocksSrgb.mat"


def score_pairs(
    weights: str | Path | None,
    noisy: Sequence[str | Path],
    rename: tuple[str, str],
    output: Path | None = None,
    ensemble: bool = False,
    tile: int = DEFAULT_TILE,
) -> list[Row]:
    """Scores weights on pairs of image files, prints the table and writes the CSV file.

    A noise-conditioned network gets the level estimated from each noisy image.

    Args:
        weights: Weights, as `models.load_model` takes them; None for what `denoise` chooses by the
            noise of each image.
        noisy: Noisy images, as `image_io.list_pairs` takes them.
        rename: Where the clean image of a noisy one is, likewise.
        output: CSV file to write; None for none.
        ensemble: Whether to average over flips and rotations.
        tile: Largest side denoised at once; 0 for no limit.

    Returns:
        The rows of `evaluate_pairs`, labeled.

    Raises:
        UserError: If weights or pairs are missing or damaged, or a setting cannot work.
    """
    with user_input():
        files = list_pairs(noisy, rename)
    if weights is None:
        if ensemble:
            raise UserError("--ensemble needs --weights. Received: --ensemble")
        denoise: Callable[[np.ndarray], np.ndarray] = denoise_image
        channels = 3
    else:
        denoise = denoiser = load_denoiser(weights, tile, ensemble)
        channels = denoiser.model.image_channels
    pairs = user_files(load_pairs(noisy, rename, channels))
    shown = progress(pairs, len(files), "pairs", unit="pair")
    results = evaluate_pairs(denoise, shown, dataset="pairs")
    data_hash = fingerprint(file for pair in files for file in pair)
    rows = label_rows(results, weights, data_hash, ensemble)
    report_rows(rows, format_pairs(rows), output)
    return rows


def score_sidd(
    weights: str | Path, folder: Path, output: Path | None = None, ensemble: bool = False
) -> list[Row]:
    """Scores weights on SIDD's validation blocks, in float; prints and writes as `score_pairs`.

    Args:
        weights: Weights, as `models.load_model` takes them; a network for color images.
        folder: Folder with `ValidationNoisyBlocksSrgb.mat` and `ValidationGtBlocksSrgb.mat`.
        output: CSV file to write; None for none.
        ensemble: Whether to average over flips and rotations.

    Returns:
        The rows of `evaluate_pairs`, labeled.

    Raises:
        UserError: If weights or files are missing or damaged.
    """
    with user_input():
        pairs = sidd_pairs(folder)
    denoise = load_denoiser(weights, ensemble=ensemble)
    shown = progress(pairs, len(pairs), "SIDD validation", unit="block")
    results = evaluate_pairs(denoise, shown, quantized=False, dataset="sidd_validation")
    data_hash = fingerprint([folder / SIDD_NOISY, folder / SIDD_CLEAN])
    rows = label_rows(results, weights, data_hash, ensemble)
    report_rows(rows, format_pairs(rows), output)
    return rows


def sidd_pairs(folder: Path) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Reads SIDD's validation blocks.

    Returns:
        Triples (name, noisy, clean); the name is IMAGE_BLOCK, counting from 0, and the blocks are
        uint8 views.

    Raises:
        FileNotFoundError: If a file is missing.
        UserError: If a file is damaged.
        ValueError: If noisy and clean blocks differ in shape.
    """
    noisy, clean = sidd_blocks(folder / SIDD_NOISY), sidd_blocks(folder / SIDD_CLEAN)
    if noisy.shape != clean.shape:
        raise ValueError(
            f"Noisy and clean blocks must have one shape. Received: {noisy.shape}, {clean.shape}"
        )
    return [
        (f"{image:02d}_{block:02d}", noisy[image, block], clean[image, block])
        for image, block in np.ndindex(noisy.shape[:2])
    ]
