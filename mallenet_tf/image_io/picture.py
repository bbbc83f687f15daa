"""An image with its metadata, as it goes from one file to another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mallenet_tf.common.errors import UserError

# More than Pillow's limit: a scan of 20,000 x 20,000 pixels is no decompression bomb.
MAX_PIXELS = 500_000_000


@dataclass
class Metadata:
    """What an image file says about its pixels.

    Attributes:
        icc: ICC color profile.
        exif: EXIF data as in a JPEG file, without an orientation: pixels are upright.
        xmp: XMP packet, without an orientation.
        dpi: Pixels per inch, horizontal and vertical.
        exr: Header and further channels of an OpenEXR file.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    exr: tuple[dict[str, Any], dict[str, Any]] | None = None


@dataclass
class Picture:
    """An upright image, gray or RGB, with its metadata.

    Attributes:
        samples: [H, W, 1 to 4]: gray or RGB, then alpha if the number of channels is even. uint8
            and uint16 are display-referred; floats are linear light, where 1 is white, and may
            exceed it.
        premultiplied: Whether the colors are multiplied by alpha.
        metadata: What the file holds beside the pixels.
        warnings: Conversion warnings: what reading changed or left out.
    """

    samples: np.ndarray
    premultiplied: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    warnings: list[str] = field(default_factory=list)

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.samples.shape[2] % 2 == 0

    @property
    def pixels(self) -> np.ndarray:
        """Gray or RGB, [H, W, 1 or 3]: a view, which may be written to."""
        return self.samples[..., :-1] if self.has_alpha else self.samples

    @property
    def linear(self) -> bool:
        """Whether the pixels are floats, which hold linear light."""
        return self.samples.dtype.kind == "f"


def convert_alpha(picture: Picture, premultiplied: bool) -> Picture:
    """Multiplies the colors by alpha or divides them, unless they are so already.

    Invisible colors become 0 when they are multiplied and stay as they are when divided.

    Args:
        picture: Is not changed.
        premultiplied: Whether the result's colors are multiplied by alpha.
    """
    if not picture.has_alpha or picture.premultiplied == premultiplied:
        return picture
    samples = picture.samples.copy()
    white = 1 if picture.linear else np.iinfo(samples.dtype).max
    for row in samples:
        colors, alpha = row[..., :-1].astype(np.float64), row[..., -1:] / np.float64(white)
        if premultiplied:
            colors = np.multiply(colors, alpha, out=np.zeros_like(colors), where=alpha != 0)
        else:
            np.divide(colors, alpha, out=colors, where=alpha != 0)
        row[..., :-1] = colors if picture.linear else np.rint(np.minimum(colors, white))
    return replace(picture, samples=samples, premultiplied=premultiplied)


def check_size(size: tuple[int, int], bytes_needed: int, max_bytes: int | None) -> None:
    """Checks the size in a file's header before its pixels are decoded.

    Args:
        size: (width, height) in pixels.
        bytes_needed: Memory that decoding takes.
        max_bytes: Memory that decoding may take; None for no limit.

    Raises:
        UserError: If there are no pixels, so many that it must be a decompression bomb, or they
            need too much memory.
    """
    width, height = size
    text = f"{width} x {height} pixels"
    if width < 1 or height < 1:
        raise UserError(f"holds no pixels: {text}")
    if width * height > MAX_PIXELS:
        raise UserError(
            f"holds {text}, more than {MAX_PIXELS // 10**6} million; it is taken for a "
            "decompression bomb"
        )
    if max_bytes is not None and bytes_needed > max_bytes:
        raise UserError(
            f"holds {text}, which take {bytes_needed / 1e6:.0f} MB to decode where "
            f"{max_bytes / 1e6:.0f} MB are left; raise --max_memory"
        )
