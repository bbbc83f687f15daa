"""Scoring on real noise: pairs of a noisy image and its clean one, no noise added.

Two tracks. "real": 8-bit images from files, the output in 8 bits as it would be saved.
"real-float": SIDD's protocol, the output in float, clipped but not quantized. The score is the mean
of the PSNRs of the images or blocks; both SSIMs are given, because both stand in tables.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from mallenet_tf.evaluation.evaluator import MEAN, Row, mean_row
from mallenet_tf.evaluation.metrics import SSIM_WINDOW, psnr, ssim, ssim_3d

MEASURES = (
    *("psnr_noisy", "ssim_noisy", "ssim_3d_noisy"),
    *("psnr", "ssim", "ssim_3d", "seconds"),
)


def evaluate_pairs(
    denoise: Callable[[np.ndarray], np.ndarray],
    pairs: Iterable[tuple[str, np.ndarray, np.ndarray]],
    *,
    quantized: bool = True,
    dataset: str = "",
) -> list[Row]:
    """Scores a denoiser on pairs.

    Args:
        denoise: From a noisy image [H, W, C] to an image of the same shape and type: uint8 on the
            track "real", float32 in [0, 1] on "real-float".
        pairs: (name, noisy, clean), both uint8 [H, W, C]; read once, one at a time.
        quantized: Which track: True for "real", False for "real-float".
        dataset: A name for the rows.

    Returns:
        A row per pair, then their mean, with the keys of `evaluator.evaluate`, sigma being NaN, and
        ssim_3d_noisy and ssim_3d.

    Raises:
        ValueError: If there is no pair, or the denoiser returns another shape.
    """
    rows: list[Row] = []
    for name, noisy, clean in pairs:
        given = noisy if quantized else noisy.astype(np.float32) / np.float32(255.0)
        start = time.perf_counter()
        answer = denoise(given)
        seconds = time.perf_counter() - start
        if answer.shape != given.shape or answer.dtype != given.dtype:
            raise ValueError(
                "The denoiser must keep the image's shape and type. Received: "
                f"{answer.dtype} {answer.shape} for {given.dtype} {given.shape}"
            )
        denoised = answer if quantized else answer.astype(np.float64) * 255.0
        rows.append(
            {
                "dataset": dataset,
                "image": name,
                "height": clean.shape[0],
                "width": clean.shape[1],
                "channels": clean.shape[2],
                "sigma": math.nan,
                "track": "real" if quantized else "real-float",
                **_measure(clean, noisy, "_noisy"),
                **_measure(clean, denoised, ""),
                "seconds": seconds,
            }
        )
    if not rows:
        raise ValueError(f"There are no pairs to evaluate on. Received: dataset={dataset!r}")
    return [*rows, mean_row(rows, MEASURES)]


def _measure(clean: np.ndarray, image: np.ndarray, suffix: str) -> Row:
    fits = min(clean.shape[:2]) >= SSIM_WINDOW
    return {
        f"psnr{suffix}": psnr(clean, image, 255),
        f"ssim{suffix}": ssim(clean, image, 255) if fits else math.nan,
        f"ssim_3d{suffix}": ssim_3d(clean, image, 255),
    }


def format_pairs(rows: Sequence[Row]) -> str:
    """The means as a table: a line per data set for the noisy input and one for the output."""
    lines = [f"{'data set':<20} {'image':<9} {'PSNR':>6}  {'SSIM':>6}  {'3-D SSIM':>8}  s/image"]
    for row in rows:
        if row["image"] != MEAN:
            continue
        for image, suffix in (("noisy", "_noisy"), ("denoised", "")):
            seconds = f"  {row['seconds']:>7.2f}" if not suffix else ""
            lines.append(
                f"{row['dataset']:<20} {image:<9} {row[f'psnr{suffix}']:>6.2f}  "
                f"{row[f'ssim{suffix}']:>6.4f}  {row[f'ssim_3d{suffix}']:>8.4f}{seconds}"
            )
    return "\n".join(lines)
