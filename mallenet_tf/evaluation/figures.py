"""Pictures of results: noisy, denoised and clean side by side, labelled with their PSNRs."""

from __future__ import annotations

import numpy as np

from mallenet_tf.evaluation.metrics import psnr
from mallenet_tf.image_io.panels import row_of_panels


def side_by_side(
    noisy: np.ndarray,
    denoised: np.ndarray,
    clean: np.ndarray,
    zoom: tuple[int, int, int] | None = None,
) -> np.ndarray:
    """Draws three panels in a row, each with its name and PSNR above it.

    Args:
        noisy: [H, W, C] with 1 or 3 channels, uint8 or float in [0, 1] plus noise. Its PSNR is
            that of the values given, before they are clipped for the picture.
        denoised: The same shape.
        clean: The same shape.
        zoom: (top, left, side) in pixels of a square that is framed in each panel and shown
            enlarged below it.

    Returns:
        uint8 [H', W', 3].

    Raises:
        ValueError: If the shapes differ, or the square is not inside the image.
    """
    reference = _unit(clean)
    titles = (
        f"noisy  {_decibels(reference, noisy)}",
        f"denoised  {_decibels(reference, denoised)}",
    )
    return row_of_panels((noisy, denoised, clean), (*titles, "clean"), zoom)


def _unit(image: np.ndarray) -> np.ndarray:
    return image / 255.0 if image.dtype == np.uint8 else np.asarray(image, np.float64)


def _decibels(reference: np.ndarray, image: np.ndarray) -> str:
    return f"{psnr(reference, _unit(image)):.2f} dB"
