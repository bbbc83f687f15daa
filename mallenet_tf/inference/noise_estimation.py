"""Estimates the standard deviation of white Gaussian noise from one image.

Every 8 x 8 patch is transformed by an orthonormal DCT, which leaves white noise white. Its high
frequencies hold the noise, and the finest details of the picture. Two estimates use them:

- Color: details are alike in all colors, so the picture fills only a subspace of the high
  frequencies of all channels, and the small eigenvalues of their covariance are the noise's. The
  largest are dropped until the mean of the rest is no more than their median: Chen, Zhu and Heng
  2015, "An efficient statistical method for image noise level estimation", algorithm 1.
- Flat patches, for gray images, where that subspace is hardly smaller than the space: only the
  patches with the least energy at low frequencies count. The choice does not bias the result, since
  noise at low frequencies is independent of noise at high ones. In the spirit of Pyatykh et al.
  2013 and Liu et al. 2013.

An 8-bit image is clipped at 0 and 255, which takes variance away. Patches near the middle of the
range are preferred there, and what clipping removed is put back by the moments of a clipped normal
variable.

The noise must be white: JPEG compression and a camera's processing remove the high frequencies, and
the estimate is then far too low. tools/checks/check_sigma_estimate.py measures the accuracy; its
table is in that file.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
import scipy.special

PATCH = 8
LOW_FREQUENCIES = 7  # 1 <= u + v <= 7: the texture of a patch
HIGH_FREQUENCIES = 10  # u + v >= 10: where the noise is measured
FLAT_SHARE = 0.0025  # Share of the patches that count as flat whatever their energy,
FLAT_LEAST = 400  # but at least so many.
FLAT_MARGIN = 1.2  # Patches up to this multiple of the noise's energy are flat too.
SMALLEST_SIDE = 24  # Pixels; a smaller image has too few patches.
MOST_PATCHES = 200_000  # of one channel
# A color estimate below this share of the flat one means that channels share their noise.
SHARED_NOISE = 0.6
# In clipped images texture raises the flat estimate where there is little noise, and clipping
# lowers the color estimate where there is much. Between these sigmas one fades into the other.
CLIPPED_FADE = (8.0, 20.0)
WHITE = 255.0
MEDIAN_DEVIATION = 0.6745  # of a standard normal variable


def estimate_sigma(image: np.ndarray) -> float:
    """Estimates the standard deviation of the white Gaussian noise in an image.

    Args:
        image: [H, W], [H, W, 1] or [H, W, 3]; uint8, uint16, or float in [0, 1], where noise may
            reach beyond. A float image within [0, 1] that touches 0 or 1 is taken as clipped.

    Returns:
        Sigma in 8-bit units, >= 0. Images with a side below 24 pixels get a rough estimate from the
        differences of neighbors; a single pixel gives 0.

    Raises:
        ValueError: If the image is of another shape or holds no pixels.
    """
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (3,)) or image.size == 0:
        raise ValueError(
            "The noise level is estimated from [H, W], [H, W, 1] or [H, W, 3]. "
            f"Received: shape={image.shape}"
        )
    pixels = image if image.ndim == 3 else image[..., None]
    scale = WHITE / np.iinfo(image.dtype).max if image.dtype.kind == "u" else WHITE
    if min(pixels.shape[:2]) < SMALLEST_SIDE:
        return _from_differences(pixels.astype(np.float64) * scale)
    patches = _patches(pixels).astype(np.float32) * np.float32(scale)
    energy, high = _frequencies(patches)
    if _is_clipped(image):
        return _from_clipped(energy, high, patches.mean(axis=(2, 3)))
    flat = math.sqrt(_flat_variance(energy, high)[0])
    return flat if high.shape[1] == 1 else _color_or_flat(math.sqrt(_color_variance(high)), flat)


def _color_or_flat(color: float, flat: float) -> float:
    """Returns the color estimate, unless noise that channels share makes it too low."""
    return flat if color < SHARED_NOISE * flat else color


def _from_clipped(energy: np.ndarray, high: np.ndarray, means: np.ndarray) -> float:
    """Estimates sigma from patches with these means [n, C], which tell how much is clipped."""

    def solve(from_flat: bool) -> float:
        sigma = 32.0  # A first guess, to choose patches by.
        for _ in range(3):
            chosen = _far_from_limits(means, sigma)
            patch_means = means[chosen]
            if from_flat:
                variance, flat = _flat_variance(energy[chosen], high[chosen])
                patch_means = patch_means[flat]
            else:
                variance = _color_variance(high[chosen])
            sigma = _undo_clipping(variance, patch_means)
        return sigma

    flat = solve(from_flat=True)
    if high.shape[1] == 1 or flat >= CLIPPED_FADE[1]:
        return flat
    color = _color_or_flat(solve(from_flat=False), flat)
    share = max(0.0, (flat - CLIPPED_FADE[0]) / (CLIPPED_FADE[1] - CLIPPED_FADE[0]))
    return share * flat + (1.0 - share) * color


def _is_clipped(image: np.ndarray) -> bool:
    if image.dtype.kind == "u":
        return True
    low, high = float(image.min()), float(image.max())
    return low >= 0.0 and high <= 1.0 and (low == 0.0 or high == 1.0)


def _patches(pixels: np.ndarray) -> np.ndarray:
    """Returns patches [n, C, 8, 8] of [H, W, C], on a grid so coarse that n * C stays bounded."""
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (PATCH, PATCH), axis=(0, 1))
    rows, columns, channels = windows.shape[:3]
    step = math.ceil(math.sqrt(max(1.0, rows * columns * channels / MOST_PATCHES)))
    return windows[::step, ::step].reshape(-1, channels, PATCH, PATCH)


def _frequencies(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the energy [n] of low frequencies and the coefficients [n, C, F] of high ones."""
    coefficients = scipy.fft.dctn(patches, axes=(2, 3), norm="ortho")
    frequency = np.add.outer(np.arange(PATCH), np.arange(PATCH))
    low = coefficients[..., (frequency >= 1) & (frequency <= LOW_FREQUENCIES)]
    high = coefficients[..., frequency >= HIGH_FREQUENCIES]
    return np.square(low).mean(axis=(1, 2)), high


def _flat_variance(energy: np.ndarray, high: np.ndarray) -> tuple[float, np.ndarray]:
    """Returns the median over frequencies of the variance in flat patches, and their mask [n]."""
    count = min(len(energy), max(FLAT_LEAST, int(FLAT_SHARE * len(energy))))
    flattest = float(np.partition(energy, count - 1)[count - 1])
    limit = flattest
    for _ in range(4):  # The more noise is found, the more patches are flat beside it.
        flat = energy <= limit
        squares = np.square(high[flat]).mean(axis=(0, 1), dtype=np.float64)
        variance = float(np.median(squares))
        limit = max(flattest, FLAT_MARGIN * variance)
    return variance, flat


def _color_variance(high: np.ndarray) -> float:
    """Returns the variance by Chen et al. 2015, algorithm 1, from coefficients [n, C, F]."""
    samples = high.reshape(len(high), -1)
    covariance = (samples.T @ samples).astype(np.float64) / len(samples)
    eigenvalues = np.linalg.eigvalsh(covariance)
    for count in range(len(eigenvalues), 0, -1):
        smallest = eigenvalues[:count]
        if smallest.mean() <= np.median(smallest):
            break
    return max(0.0, float(smallest.mean()))


def _far_from_limits(means: np.ndarray, sigma: float) -> np.ndarray:
    """Returns a mask [n] of patches whose means are 2 sigma, at most 90, from black and white.

    If these are less than a tenth, it is the tenth nearest to the middle.
    """
    distance = np.abs(means - WHITE / 2).max(axis=1)
    count = min(len(means), max(FLAT_LEAST, len(means) // 10))
    nearest = float(np.partition(distance, count - 1)[count - 1])
    return distance <= max(nearest, WHITE / 2 - min(max(2.0 * sigma, 2.0), 90.0))


def _undo_clipping(variance: float, means: np.ndarray) -> float:
    """Returns the sigma whose clipped noise has this variance, on average over patch means."""
    low, high = math.sqrt(variance), 4.0 * math.sqrt(variance) + 1.0
    histogram, edges = np.histogram(means, bins=256, range=(0.0, WHITE))
    centers = (edges[:-1] + edges[1:]) / 2
    for _ in range(30):
        sigma = (low + high) / 2
        clipped_mean, clipped_variance = _clipped_normal(sigma)
        expected = np.interp(centers, clipped_mean, clipped_variance)
        if np.average(expected, weights=histogram) < variance:
            low = sigma
        else:
            high = sigma
    return (low + high) / 2


def _clipped_normal(sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns means and variances of normal variables clipped to [0, 255], for some true means."""
    true_means = np.linspace(-4.0 * sigma, WHITE + 4.0 * sigma, 257)
    lower, upper = -true_means / sigma, (WHITE - true_means) / sigma
    below, above = scipy.special.ndtr(lower), scipy.special.ndtr(-upper)
    density_low, density_high = (
        np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) for z in (lower, upper)
    )
    inside = 1.0 - below - above
    # Integrals of z and z^2 over the part of the standard normal that is not clipped.
    first = density_low - density_high
    second = inside + lower * density_low - upper * density_high
    mean = true_means * inside + sigma * first + WHITE * above
    square = true_means**2 * inside + 2 * true_means * sigma * first + sigma**2 * second
    return mean, square + WHITE**2 * above - mean**2


def _from_differences(pixels: np.ndarray) -> float:
    """Estimates sigma of a tiny image from the median absolute difference of neighbors."""
    differences, gain = pixels, 1.0
    for axis in (0, 1):
        if pixels.shape[axis] > 1:
            differences, gain = np.diff(differences, axis=axis), gain * math.sqrt(2)
    if gain == 1.0:
        return 0.0
    return float(np.median(np.abs(differences))) / MEDIAN_DEVIATION / gain
