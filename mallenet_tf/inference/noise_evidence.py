"""Evidence against noise: what text, line art, screenshots and scans have and noise cannot leave.

The estimators of `noise_estimation` and `level_estimation` look for parts that vary least. A page
full of strokes has none, so that they take strokes for noise. Noise leaves few neighboring pixels
equal and no place quiet.
"""

from __future__ import annotations

import numpy as np

from mallenet_tf.common.srgb import LUMA
from mallenet_tf.image_io.pixels import as_float, is_bilevel, white_of

BLOCK = 8  # Pixels
# A quarter of the blocks of photographs that cameras stored have 0 to 0.25, those of pages, charts
# and gradients 0.46 and more; both measured.
EQUAL_SHARE, EQUAL_QUANTILE = 0.35, 0.25
QUIET_BLOCK, QUIET_SHARE = 4, 0.05
MOST_ROWS = 2048  # That are looked at, in the middle.


def is_free_of_noise(image: np.ndarray) -> bool:
    """Tells whether an image cannot hold noise: too many neighbors are equal, or it is bilevel.

    Args:
        image: [H, W] or [H, W, C] of any type.

    Returns:
        Whether all is black or white, or in three quarters of the blocks of 8 x 8 pixels, apart
        from all black and all white ones, 0.35 of the pairs of neighbors are equal in all channels.
    """
    if is_bilevel(image):
        return True
    image = _middle(image)
    rows, columns = (side // BLOCK for side in image.shape[:2])
    if not rows * columns:
        return False
    blocks = image[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK, -1)
    across = (blocks[:, :, :, 1:] == blocks[:, :, :, :-1]).all(-1).mean((1, 3))
    down = (blocks[:, 1:] == blocks[:, :-1]).all(-1).mean((1, 3))
    white = white_of(image.dtype)
    low, high = blocks.min((1, 3, 4)), blocks.max((1, 3, 4))
    inside = (low < white) & (high > 0)
    shares = (across + down)[inside] / 2.0
    return not inside.any() or bool(np.quantile(shares, EQUAL_QUANTILE) >= EQUAL_SHARE)


def quiet_level(image: np.ndarray) -> float:
    """Returns how strongly luma varies where it varies least, in 8-bit units.

    Args:
        image: [H, W] or [H, W, C]; uint8, uint16, or float in [0, 1].

    Returns:
        The standard deviation in blocks of 4 x 4 pixels that a twentieth of them stays below. White
        noise of standard deviation sigma has about 0.7 sigma, and 0.3 sigma on white paper.
    """
    values = as_float(_middle(image))
    luma = values @ np.array(LUMA, np.float32) if values.shape[2] == 3 else values[..., 0]
    rows, columns = (side // QUIET_BLOCK for side in luma.shape)
    if not rows * columns:
        return float(255.0 * luma.std())
    luma = luma[: rows * QUIET_BLOCK, : columns * QUIET_BLOCK]
    blocks = luma.reshape(rows, QUIET_BLOCK, columns, QUIET_BLOCK)
    return float(255.0 * np.quantile(blocks.std((1, 3)), QUIET_SHARE))


def _middle(image: np.ndarray) -> np.ndarray:
    image = image if image.ndim == 3 else image[..., None]
    first = max(0, (len(image) - MOST_ROWS) // 2)
    return image[first : first + MOST_ROWS]
