"""The evaluation protocols: images in, one row per result out.

Gaussian noise: for each image and sigma, add noise that depends on the image's name alone, denoise,
clip to [0, 1], round to 8 bits, and compare with the 8-bit original over every value, no border
cropped. Track "unclipped" is the literature's: the noisy image stays as it is. Track "clipped"
clips it and rounds it to 8 bits like a file on disk. Never mix the two.

Real noise: pairs of a noisy image and its clean one. Track "real" denoises 8-bit images to 8 bits,
as files would be. Track "real-float" is SIDD's: the output is clipped but not rounded.

The score of a data set is the mean of its images' PSNRs. Protocols alone explain differences of up
to 0.05 dB between toolboxes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.evaluation.metrics import SSIM_WINDOW, psnr, ssim, ssim_3d
from mallenet_tf.image_io import quantize

Row = dict[str, Any]
ResultCallback = Callable[[Row, np.ndarray], None]

MEAN = "mean"  # in the column "image" of the rows that hold means


def evaluate_gaussian(
    denoise: Callable[[np.ndarray, float], np.ndarray],
    images: Iterable[tuple[str, np.ndarray]],
    sigmas: Sequence[float],
    *,
    clipped: bool = False,
    dataset: str = "",
    on_result: ResultCallback | None = None,
) -> list[Row]:
    """Scores a denoiser on images with added white Gaussian noise.

    Args:
        denoise: From a noisy float32 image [H, W, C] and its sigma in 8-bit units to a float
            image of the same shape.
        images: Pairs of a name and a clean uint8 image [H, W, C]; read once, one at a time.
        sigmas: Noise levels in 8-bit units.
        clipped: Track: False for "unclipped", True for "clipped".
        dataset: Name for the rows.
        on_result: Called after each image and sigma with its row and the denoised image, uint8.

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
    track = "clipped" if clipped else "unclipped"
    for name, clean in images:
        for sigma, results in rows.items():
            noisy = add_gaussian_noise(clean, sigma, name, clipped)
            answer, seconds = _timed(denoise, noisy, sigma)
            denoised = quantize(answer)
            row = {
                **_description(dataset, name, clean, sigma, track),
                **measures(clean, noisy.astype(np.float64) * 255.0, "_noisy"),
                **measures(clean, denoised),
                "seconds": seconds,
            }
            results.append(row)
            if on_result:
                on_result(row, denoised)
    if not all(rows.values()):
        raise ValueError(f"There are no images to evaluate on. Received: dataset={dataset!r}")
    return [row for results in rows.values() for row in (*results, mean_row(results))]


def evaluate_pairs(
    denoise: Callable[[np.ndarray], np.ndarray],
    pairs: Iterable[tuple[str, np.ndarray, np.ndarray]],
    *,
    quantized: bool = True,
    dataset: str = "",
) -> list[Row]:
    """Scores a denoiser on pairs of a noisy and a clean image; no noise is added.

    Args:
        denoise: From a noisy image [H, W, C] to an image of the same shape and type: uint8 on the
            track "real", float32 in [0, 1] on "real-float".
        pairs: Triples (name, noisy, clean), both uint8 [H, W, C]; read once, one at a time.
        quantized: Track: True for "real", False for "real-float".
        dataset: Name for the rows.

    Returns:
        A row per pair, then their mean, with the keys of `evaluate_gaussian`, sigma being NaN, and
        ssim_3d_noisy and ssim_3d.

    Raises:
        ValueError: If there is no pair, or the denoiser returns another shape or type.
    """
    rows: list[Row] = []
    track = "real" if quantized else "real-float"
    for name, noisy, clean in pairs:
        given = noisy if quantized else noisy.astype(np.float32) / np.float32(255.0)
        answer, seconds = _timed(denoise, given)
        if answer.dtype != given.dtype:
            raise ValueError(
                "The denoiser must keep the image's type. "
                f"Received: {answer.dtype} for {given.dtype}"
            )
        denoised = answer if quantized else answer.astype(np.float64) * 255.0
        rows.append(
            {
                **_description(dataset, name, clean, math.nan, track),
                **measures(clean, noisy, "_noisy"),
                **measures(clean, denoised),
                "ssim_3d_noisy": ssim_3d(clean, noisy, 255),
                "ssim_3d": ssim_3d(clean, denoised, 255),
                "seconds": seconds,
            }
        )
    if not rows:
        raise ValueError(f"There are no pairs to evaluate on. Received: dataset={dataset!r}")
    return [*rows, mean_row(rows)]


def _timed(
    denoise: Callable[..., np.ndarray], noisy: np.ndarray, *sigma: float
) -> tuple[np.ndarray, float]:
    start = time.perf_counter()
    answer = denoise(noisy, *sigma)
    seconds = time.perf_counter() - start
    if answer.shape != noisy.shape:
        raise ValueError(
            f"The denoiser must keep the image's shape. Received: {answer.shape} for {noisy.shape}"
        )
    return answer, seconds


def _description(dataset: str, name: str, clean: np.ndarray, sigma: float, track: str) -> Row:
    height, width, channels = clean.shape
    return {
        "dataset": dataset,
        "image": name,
        "height": height,
        "width": width,
        "channels": channels,
        "sigma": sigma,
        "track": track,
    }


def measures(clean: np.ndarray, image: np.ndarray, suffix: str = "") -> Row:
    """Returns PSNR and SSIM of an image of values from 0 to 255; SSIM is NaN for tiny images."""
    fits = min(clean.shape[:2]) >= SSIM_WINDOW
    return {
        f"psnr{suffix}": psnr(clean, image, 255),
        f"ssim{suffix}": ssim(clean, image, 255) if fits else math.nan,
    }


def mean_row(rows: Sequence[Row]) -> Row:
    """Returns the means over one data set, sigma and track; undefined SSIMs do not count."""
    mean: Row = {key: rows[0][key] for key in ("dataset", "sigma", "track")}
    mean["image"] = MEAN
    for key in (key for key in rows[0] if key.startswith(("psnr", "ssim", "seconds"))):
        known = [row[key] for row in rows if not math.isnan(row[key])]
        mean[key] = math.fsum(known) / len(known) if known else math.nan
    return mean
