"""Linear light to the range a network knows, and back.

Networks are trained on display-referred images with values around [0, 1]. Float files hold linear
light without an upper limit, so they are denoised under sRGB's transfer curve (IEC 61966-2-1),
continued beyond white and mirrored below black, and what goes far beyond is led around the network.
"""

from __future__ import annotations

import numpy as np

from mallenet_tf.common import srgb
from mallenet_tf.image_io.pixels import as_float

# Noise of sigma 75 on black and on white reaches as far; highlights beyond are left as they are.
LOWEST, HIGHEST = -0.5, 1.5


def to_display(light: np.ndarray) -> np.ndarray:
    """Linear light to display values, float32 of the same shape; not finite values become 0."""
    light = np.nan_to_num(light.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return srgb.to_srgb(light, np).astype(np.float32)


def is_beyond_white(light: np.ndarray) -> bool:
    """Whether most of [H, W, C] is brighter than a network is shown: not linear light around 1."""
    step = max(1, max(light.shape[:2]) // 512)
    return float(np.mean(to_display(light[::step, ::step]) > HIGHEST)) > 0.5


def to_light(display: np.ndarray) -> np.ndarray:
    """The inverse of `to_display` for finite values."""
    return srgb.to_linear(display, np).astype(np.float32)


def to_network_range(pixels: np.ndarray, light: bool) -> np.ndarray:
    """Pixels of any type, or linear light, to float32 as networks take them."""
    if light:
        return np.clip(to_display(pixels), LOWEST, HIGHEST)
    return as_float(pixels)
