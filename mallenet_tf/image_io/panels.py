"""Draws images side by side, each with a title above it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mallenet_tf.image_io.pixels import quantize

BACKGROUND = (255, 255, 255)
INK = (0, 0, 0)
FRAME = (230, 30, 30)
GAP = 8  # Pixels between panels.


def row_of_panels(
    images: Sequence[np.ndarray],
    titles: Sequence[str],
    zoom: tuple[int, int, int] | None = None,
) -> np.ndarray:
    """Draws panels in a row, each with its title above it.

    Args:
        images: [H, W, C] with 1 or 3 channels, uint8 or float in [0, 1], all of one size.
        titles: One for each image.
        zoom: (top, left, side) in pixels of a square that is framed in each panel and shown
            enlarged below it. None shows no enlargement.

    Returns:
        uint8 [H', W', 3].

    Raises:
        ValueError: If the square is not inside the images.
    """
    panels = [
        _panel(_as_rgb(image), title, zoom) for image, title in zip(images, titles, strict=True)
    ]
    width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
    picture = Image.new("RGB", (width, panels[0].height), BACKGROUND)
    left = 0
    for panel in panels:
        picture.paste(panel, (left, 0))
        left += panel.width + GAP
    return np.array(picture)


def _panel(image: np.ndarray, title: str, zoom: tuple[int, int, int] | None) -> Image.Image:
    height, width = image.shape[:2]
    letters = max(10, min(24, width // 14))
    font = ImageFont.load_default(size=letters)
    banner = letters * 3 // 2
    detail = None if zoom is None else _enlarged(image, zoom)
    total = banner + height + (0 if detail is None else detail.height + GAP)
    panel = Image.new("RGB", (width, total), BACKGROUND)
    draw = ImageDraw.Draw(panel)
    draw.text((2, banner // 2), title, fill=INK, font=font, anchor="lm")
    panel.paste(Image.fromarray(image), (0, banner))
    if detail is not None and zoom is not None:
        top, left, side = zoom
        box = (left, banner + top, left + side - 1, banner + top + side - 1)
        draw.rectangle(box, outline=FRAME, width=2)
        panel.paste(detail, (0, banner + height + GAP))
    return panel


def _enlarged(image: np.ndarray, zoom: tuple[int, int, int]) -> Image.Image:
    """Enlarges the square to the width of the panel, with sharp pixels."""
    top, left, side = zoom
    height, width = image.shape[:2]
    if not (side >= 1 and 0 <= top <= height - side and 0 <= left <= width - side):
        raise ValueError(
            "The square to enlarge must be inside the image. "
            f"Received: zoom={zoom} for an image of {height} x {width}"
        )
    square = Image.fromarray(image[top : top + side, left : left + side])
    return square.resize((width, width), Image.Resampling.NEAREST)


def _as_rgb(image: np.ndarray) -> np.ndarray:
    pixels = image if image.dtype == np.uint8 else quantize(image)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
