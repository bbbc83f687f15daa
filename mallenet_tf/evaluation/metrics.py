"""PSNR and SSIM: the only ones in the repository.

The definitions are those behind the tables of the literature (DnCNN, FFDNet, DRUNet, Restormer):
float64, every value of every channel, no border cropped for PSNR; SSIM with the 11 x 11 Gaussian
window of its paper over the region where the window fits, averaged over channels. The real-noise
benchmarks also print the 3-D SSIM that MATLAB computes.

This module imports nothing of the package, so that everything may use it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.ndimage

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
_RADIUS = SSIM_WINDOW // 2


def psnr(clean: npt.ArrayLike, test: npt.ArrayLike, peak: float = 1.0) -> float:
    """Computes the peak signal-to-noise ratio over all values.

    Args:
        clean: [H, W, C] or [H, W] reference.
        test: Array of the same shape.
        peak: Largest possible value: 1.0 for float images, 255 for 8-bit ones.

    Returns:
        Decibels; infinity if the images are equal.

    Raises:
        ValueError: If the shapes differ, the images are empty or `peak` is not positive.
    """
    clean64, test64 = _as_pair(clean, test, peak)
    error = float(np.mean(np.square(clean64 - test64)))
    if error == 0.0:
        return math.inf
    return 10.0 * math.log10(peak**2 / error)


def ssim(clean: npt.ArrayLike, test: npt.ArrayLike, peak: float = 1.0) -> float:
    """Computes the structural similarity (Wang et al. 2004, equation 13).

    Gaussian window of 11 x 11, sigma 1.5, K1 = 0.01, K2 = 0.03, population variances, averaged over
    the region where the window fits and then over channels.

    Args:
        clean: [H, W, C] or [H, W] reference, H and W >= 11.
        test: Array of the same shape.
        peak: Largest possible value: 1.0 for float images, 255 for 8-bit ones.

    Returns:
        A number in [-1, 1]; 1 if the images are equal.

    Raises:
        ValueError: As for `psnr`, and if the window does not fit into the image.
    """
    clean64, test64 = _as_pair(clean, test, peak)
    if clean64.ndim not in (2, 3):
        raise ValueError(f"SSIM takes [H, W, C] or [H, W] images. Received: shape={clean64.shape}")
    if min(clean64.shape[:2]) < SSIM_WINDOW:
        raise ValueError(
            f"SSIM needs at least {SSIM_WINDOW} x {SSIM_WINDOW} pixels, the size of its window. "
            f"Received: shape={clean64.shape}"
        )

    def window_mean(image: np.ndarray) -> np.ndarray:
        means = scipy.ndimage.gaussian_filter(image, SSIM_SIGMA, radius=_RADIUS, axes=(0, 1))
        return means[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]

    return _structural_similarity(clean64, test64, peak, window_mean)


def ssim_3d(clean: npt.ArrayLike, test: npt.ArrayLike, peak: float = 1.0) -> float:
    """Computes what MATLAB's `ssim` gives for an [H, W, 3] array, which it takes for a volume.

    The Gaussian window is 11 x 11 x 11 and spans the channels too, border values are repeated
    beyond the border, and the mean is over every value. Tables of SIDD and DND often hold this
    measure, which is higher than `ssim`; say which of the two a number is.

    Args:
        clean: [H, W, C] reference.
        test: Array of the same shape.
        peak: Largest possible value: 1.0 for float images, 255 for 8-bit ones.

    Returns:
        A number in [-1, 1]; 1 if the images are equal.

    Raises:
        ValueError: As for `psnr`, and for other than three axes.
    """
    clean64, test64 = _as_pair(clean, test, peak)
    if clean64.ndim != 3:
        raise ValueError(f"The 3-D SSIM takes [H, W, C] images. Received: shape={clean64.shape}")

    def window_mean(image: np.ndarray) -> np.ndarray:
        return scipy.ndimage.gaussian_filter(image, SSIM_SIGMA, radius=_RADIUS, mode="nearest")

    return _structural_similarity(clean64, test64, peak, window_mean)


def _structural_similarity(
    x: np.ndarray, y: np.ndarray, peak: float, window_mean: Callable[[np.ndarray], np.ndarray]
) -> float:
    """Averages equation 13 over the windows of `window_mean`."""
    mean_x, mean_y = window_mean(x), window_mean(y)
    var_x = window_mean(x * x) - mean_x * mean_x
    var_y = window_mean(y * y) - mean_y * mean_y
    covariance = window_mean(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (var_x + var_y + c2)
    return float(np.mean(luminance * structure))


def _as_pair(
    clean: npt.ArrayLike, test: npt.ArrayLike, peak: float
) -> tuple[np.ndarray, np.ndarray]:
    clean64, test64 = np.asarray(clean, np.float64), np.asarray(test, np.float64)
    if clean64.shape != test64.shape:
        raise ValueError(
            "The images must have the same shape. "
            f"Received: clean.shape={clean64.shape}, test.shape={test64.shape}"
        )
    if clean64.size == 0:
        raise ValueError(f"The images hold no pixels. Received: shape={clean64.shape}")
    if not peak > 0:
        raise ValueError(f"peak must be positive. Received: peak={peak}")
    return clean64, test64
