"""Reflection padding to the multiple of pixels a network needs, and the crop that undoes it."""

from __future__ import annotations

import numpy as np


def pad_to_multiple(image: np.ndarray, multiple: int) -> np.ndarray:
    """Pads height and width at the bottom and right to multiples of `multiple`, by reflection.

    Padding goes to one side only: the origin stays where the network's strides begin, so that a
    pixel keeps its place in the pyramid whatever the size. Reflection leaves the border pixel out,
    so no noise sample stands beside its own copy; an image smaller than its padding is reflected
    to and fro, and a side of one pixel is repeated.

    Args:
        image: [H, W, C], H and W >= 1.
        multiple: Positive integer.

    Returns:
        [H', W', C] with H', W' the next multiples; `image` itself where nothing is missing.

    Raises:
        ValueError: If the image has no pixels or `multiple` is not positive.
    """
    height, width = image.shape[:2]
    if height < 1 or width < 1:
        raise ValueError(f"The image holds no pixels. Received: shape={image.shape}")
    if multiple < 1:
        raise ValueError(f"multiple must be positive. Received: multiple={multiple}")
    below, right = -height % multiple, -width % multiple
    if not (below or right):
        return image
    return np.pad(image, ((0, below), (0, right), (0, 0)), mode="reflect")


def crop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Undoes `pad_to_multiple`: the first `height` rows and `width` columns of [H', W', C]."""
    return image[:height, :width]
