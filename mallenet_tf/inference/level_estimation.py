"""Estimates how strong noise of any grain is, such as a camera's, from one image.

A camera's noise reduction and JPEG leave little noise at the high frequencies that
`noise_estimation` looks at. Here statistics of several frequency bands go through a small network,
trained on the simulated camera (`data.CameraNoise`) by tools/train_level_estimator.py. The level is
the root mean square of the noise on a gray ramp.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mallenet_tf.common.srgb import LUMA
from mallenet_tf.image_io.pixels import as_float

ESTIMATOR = Path(__file__).resolve().parent.parent / "weights" / "level_estimator.npz"
TILE = 256  # Pixels
MOST_TILES = 48
SCALES = 4
QUANTILES = (0.05, 0.2, 0.5)


def estimate_level(image: np.ndarray) -> float:
    """Estimates the level of the noise in an image, whatever its grain.

    Args:
        image: [H, W], [H, W, 1] or [H, W, 3]; uint8, uint16, or float in [0, 1].

    Returns:
        The level in 8-bit units, >= 0: the median over tiles of 256 pixels.
    """
    features = np.array([level_features(tile) for tile in _tiles(image)])
    return float(np.median(np.exp(_predict(features))))


def level_features(tile: np.ndarray) -> np.ndarray:
    """Returns logarithms of how strongly the flatter parts of an image vary.

    Luma and the differences of blue and red from it are decomposed by Haar wavelets. Of each band
    at each scale, the root mean square in small blocks is taken, and quantiles of it over the tile:
    the low ones come from flat parts, where noise is all there is.

    Args:
        tile: float32 [TILE, TILE, 3] in [0, 1].

    Returns:
        float32 [73]: three channels, four scales, two bands, three quantiles; then mean luma.
    """
    luma = tile @ np.array(LUMA, np.float32)
    features: list[float] = []
    for channel in (luma, tile[..., 2] - luma, tile[..., 0] - luma):
        for scale in range(SCALES):
            a, b = channel[0::2, 0::2], channel[0::2, 1::2]
            c, d = channel[1::2, 0::2], channel[1::2, 1::2]
            straight = np.square(a + b - c - d) + np.square(a - b + c - d)
            diagonal = np.square(a - b - c + d)
            side = 8 if scale < 2 else 4
            for band in (straight / 8.0, diagonal / 4.0):
                blocks = band.reshape(len(band) // side, side, -1, side).mean((1, 3))
                features.extend(np.quantile(np.sqrt(blocks), QUANTILES))
            channel = (a + b + c + d) / 4.0
    logarithms = np.log(np.array(features) + 1e-4)
    return np.append(logarithms, luma.mean()).astype(np.float32)


def _tiles(image: np.ndarray) -> Iterator[np.ndarray]:
    """Yields tiles on a grid over the image, at most `MOST_TILES`, float32 [TILE, TILE, 3]."""
    image = image if image.ndim == 3 else image[..., None]
    height, width = image.shape[:2]
    rows, columns = -(-height // TILE), -(-width // TILE)
    stride = max(1, int(np.ceil(np.sqrt(rows * columns / MOST_TILES))))
    for top in np.linspace(0, max(height - TILE, 0), -(-rows // stride)).astype(int):
        for left in np.linspace(0, max(width - TILE, 0), -(-columns // stride)).astype(int):
            tile = as_float(image[top : top + TILE, left : left + TILE])
            short = [(0, TILE - side) for side in tile.shape[:2]]
            tile = np.pad(tile, [*short, (0, 0)], "symmetric")
            yield np.broadcast_to(tile, (TILE, TILE, 3))


@functools.cache
def _layers() -> dict[str, np.ndarray]:
    with np.load(ESTIMATOR) as file:
        return dict(file)


def _predict(features: np.ndarray) -> np.ndarray:
    """Returns the logarithm of the level for each row of features."""
    layers = _layers()
    values = (features - layers["mean"]) / layers["deviation"]
    for index in range(3):
        values = values @ layers[f"kernel{index}"] + layers[f"bias{index}"]
        if index < 2:
            values = values / (1.0 + np.exp(-values))  # SiLU
    return values[:, 0]
