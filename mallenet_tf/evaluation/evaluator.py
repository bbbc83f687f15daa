"""The evaluation protocol for additive white Gaussian noise: images in, one row per result out.

For each image and sigma: add noise that depends on the image's name alone, denoise, clip to [0, 1],
round to 8 bits, and compare with the 8-bit original over every value, no border cropped. The score
of a data set is the mean of its images' PSNRs. Two tracks that are never mixed: "unclipped", the
literature's, where the noisy image stays as it is, and "clipped", where it is clipped and rounded
to 8 bits like a file on disk. Differences up to 0.05 dB between toolboxes come from protocol alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from mallenet_tf.evaluation.metrics import SSIM_WINDOW, psnr, ssim
from mallenet_tf.image_io import quantize

Row = dict[str, Any]
DenoiseFunction = Callable[[np.ndarray, float], np.ndarray]
# (image uint8, sigma, name, clipped) to float32 in [0, 1] plus noise: `data.add_gaussian_noise`.
NoiseFunction = Callable[[np.ndarray, float, str, bool], np.ndarray]
ResultCallback = Callable[[Row, np.ndarray, np.ndarray], None]

MEAN = "mean"  # stands in the column "image" of the rows that hold means
MEASURES = ("psnr_noisy", "ssim_noisy", "psnr", "ssim", "seconds")


def evaluate(
    denoise: DenoiseFunction,
    images: Iterable[tuple[str, np.ndarray]],
    sigmas: Sequence[float],
    *,
    add_noise: NoiseFunction,
    clipped: bool = False,
    dataset: str = "",
    on_result: ResultCallback | None = None,
) -> list[Row]:
    """Scores a denoiser on a data set.

    Args:
        denoise: From a noisy float32 image [H, W, C] and its sigma in 8-bit units to a float
            image of the same shape.
        images: Pairs of a name and a clean uint8 image [H, W, C]; read once, one at a time.
        sigmas: Noise levels in 8-bit units.
        add_noise: The noise, `mallenet_tf.data.add_gaussian_noise`.
        clipped: Which track.
        dataset: A name for the rows.
        on_result: Called after each image and sigma with its row, the noisy image (float32) and
            the denoised one (uint8).

    Returns:
        Rows sorted by sigma, each sigma's images in their order and then their mean. Keys: dataset,
        image, height, width, channels, sigma, track, psnr_noisy, ssim_noisy, psnr, ssim,
        seconds. SSIM is NaN for images smaller than its window, and left out of the mean.

    Raises:
        ValueError: If there is no image or no sigma, or the denoiser returns another shape.
    """
    if not sigmas:
        raise ValueError("There must be at least one noise level. Received: sigmas=[]")
    rows: dict[float, list[Row]] = {float(sigma): [] for sigma in sigmas}
    for name, clean in images:
        for sigma, results in rows.items():
            noisy = add_noise(clean, sigma, name, clipped)
            start = time.perf_counter()
            answer = denoise(noisy, sigma)
            seconds = time.perf_counter() - start
            if answer.shape != clean.shape:
                raise ValueError(
                    "The denoiser must keep the image's shape. "
                    f"Received: {answer.shape} for {clean.shape}"
                )
            denoised = quantize(answer)
            row = {
                "dataset": dataset,
                "image": name,
                "height": clean.shape[0],
                "width": clean.shape[1],
                "channels": clean.shape[2],
                "sigma": sigma,
                "track": "clipped" if clipped else "unclipped",
                **_measure(clean, noisy, denoised),
                "seconds": seconds,
            }
            results.append(row)
            if on_result:
                on_result(row, noisy, denoised)
    if not all(rows.values()):
        raise ValueError(f"There are no images to evaluate on. Received: dataset={dataset!r}")
    return [row for results in rows.values() for row in (*results, mean_row(results))]


def _measure(clean: np.ndarray, noisy: np.ndarray, denoised: np.ndarray) -> Row:
    scaled = noisy.astype(np.float64) * 255.0
    fits = min(clean.shape[:2]) >= SSIM_WINDOW
    return {
        "psnr_noisy": psnr(clean, scaled, 255),
        "ssim_noisy": ssim(clean, scaled, 255) if fits else math.nan,
        "psnr": psnr(clean, denoised, 255),
        "ssim": ssim(clean, denoised, 255) if fits else math.nan,
    }


def mean_row(rows: Sequence[Row], measures: Sequence[str] = MEASURES) -> Row:
    """The means of one data set, sigma and track; undefined SSIMs do not count."""
    first = rows[0]
    mean: Row = {key: first[key] for key in ("dataset", "sigma", "track")}
    mean["image"] = MEAN
    for key in measures:
        known = [row[key] for row in rows if not math.isnan(row[key])]
        mean[key] = math.fsum(known) / len(known) if known else math.nan
    return mean
