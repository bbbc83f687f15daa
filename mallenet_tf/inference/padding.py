"""Reflect padding: a margin around an image, and up to a multiple of pixels."""

from __future__ import annotations

import numpy as np


def pad_to_multiple(image: np.ndarray, multiple: int) -> np.ndarray:
    """Pads height and width at the bottom and right to multiples of `multiple`, by reflection.

    The origin stays where the network's strides begin, so that a pixel keeps its place in the
    pyramid whatever the size. Reflection leaves out the edge pixel, so that no noise sample stands
    beside its own copy. An image smaller than its padding is reflected repeatedly, and a side of
    one pixel is repeated.

    Args:
        image: [H, W, C], H and W >= 1.
        multiple: Positive integer.

    Returns:
        [H', W', C] with H', W' the next multiples; `image` itself if it needs no padding.

    Raises:
        ValueError: If the image has no pixels or `multiple` is not positive.
    """
    height, width = image.shape[:2]
    if height < 1 or width < 1:
        raise ValueError(f"The image has no pixels. Received: shape={image.shape}")
    if multiple < 1:
        raise ValueError(f"multiple must be positive. Received: multiple={multiple}")
    below, right = -height % multiple, -width % multiple
    if not (below or right):
        return image
    return np.pad(image, ((0, below), (0, right), (0, 0)), mode="reflect")


def crop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Undoes `pad_to_multiple`: returns the first `height` rows and `width` columns."""
    return image[:height, :width]


class ReflectPadded:
    """An image with a reflected margin on all sides, computed window by window.

    Args:
        image: [H, W, C], which is only sliced. Its rows may be overwritten once no window needs
            rows above them: the padding below the last row is copied at the start.
        margin: Pixels on each side; see `models.DenoisingModel.margin`.
        multiple: Height and width become multiples of it, by more pixels at the bottom and right.

    Attributes:
        shape: Height, width and channels with the padding.
    """

    def __init__(self, image: np.ndarray, margin: int, multiple: int):
        self._image = image
        height, width, channels = image.shape
        self._rows = _reflected_indices(height, margin, multiple)
        self._columns = _reflected_indices(width, margin, multiple)
        self.shape = (len(self._rows), len(self._columns), channels)
        self._end = margin + height  # of the rows that are not below the image
        self._below = image[self._rows[self._end :]]

    def __getitem__(self, window: tuple[slice, slice]) -> np.ndarray:
        rows, columns = window
        inside = self._rows[rows.start : min(rows.stop, self._end)]
        pixels = self._image[np.ix_(inside, self._columns[columns])]
        if rows.stop <= self._end:
            return pixels
        below = self._below[max(0, rows.start - self._end) : rows.stop - self._end]
        return np.concatenate([pixels, below[:, self._columns[columns]]])


def _reflected_indices(length: int, margin: int, multiple: int) -> np.ndarray:
    """Returns the pixel, of `length`, at each place of a padded axis; pixel 0 is at `margin`."""
    missing = -(length + 2 * margin) % multiple
    return np.pad(np.arange(length), (margin, margin + missing), mode="reflect")
