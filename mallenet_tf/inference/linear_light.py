"""Converts the pixels of a file to the range that networks know, and back.

Networks are trained on display-referred images with values around [0, 1]. Float files hold linear
light without an upper limit, so they are denoised under sRGB's transfer curve (IEC 61966-2-1),
continued beyond white and mirrored below black. Values far beyond bypass the network.
"""

from __future__ import annotations

import numpy as np

from mallenet_tf.common import srgb
from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.pixels import as_float, to_type
from mallenet_tf.inference.strength import Strength

# Noise of sigma 75 on black and on white reaches as far; brighter highlights are kept as they are.
LOWEST, HIGHEST = -0.5, 1.5


def to_display(linear: np.ndarray) -> np.ndarray:
    """Converts linear light to display values, float32; values that are not finite become 0."""
    linear = np.nan_to_num(linear.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return srgb.to_srgb(linear, np).astype(np.float32)


def from_display(display: np.ndarray) -> np.ndarray:
    """Converts display values to linear light: the inverse of `to_display` for finite values."""
    return srgb.to_linear(display, np).astype(np.float32)


def check_white(linear: np.ndarray) -> None:
    """Checks that white is about 1 in linear light [H, W, C].

    Raises:
        UserError: If most of it is brighter than what a network is shown.
    """
    step = max(1, max(linear.shape[:2]) // 512)
    if float(np.mean(to_display(linear[::step, ::step]) > HIGHEST)) > 0.5:
        raise UserError(
            "In a float image 1 is white, and most of this one is brighter; divide it by 255 or by "
            f"65535. Received: values up to {np.nanmax(linear):g}"
        )


def to_network_range(pixels: np.ndarray, linear_light: bool) -> np.ndarray:
    """Converts pixels of any type, or linear light, to float32 as networks take them."""
    if linear_light:
        return np.clip(to_display(pixels), LOWEST, HIGHEST)
    return as_float(pixels)


def from_network_range(
    denoised: np.ndarray, noisy: np.ndarray, strength: Strength, linear_light: bool
) -> np.ndarray:
    """Converts a network's output to pixels of the type of `noisy`.

    The output is blended with `noisy`, clipped and rounded. Linear light is not clipped: the
    network's change is applied to the noisy pixels, and values that are not finite are kept.

    Args:
        denoised: float32 [h, w, C].
        noisy: The pixels before `to_network_range`, of the same shape.
        strength: Shares of the network's change in the result.
        linear_light: As of `to_network_range`.
    """
    if linear_light:
        display = to_display(noisy)
        change = denoised - np.clip(display, LOWEST, HIGHEST)
        result = from_display(display + strength.of(change)).astype(noisy.dtype)
        return np.where(np.isfinite(noisy), result, noisy)
    if not strength.full:
        before = as_float(noisy)
        denoised = before + strength.of(denoised - before)
    return to_type(np.clip(denoised, 0.0, 1.0), noisy.dtype)
