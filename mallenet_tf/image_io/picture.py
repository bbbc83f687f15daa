"""An image with its metadata, as it goes from one file to another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mallenet_tf.common.errors import UserError

# More than Pillow's limit: a scan of 20,000 x 20,000 pixels is no decompression bomb.
MAX_PIXELS = 500_000_000
WHITE = (255, 255, 255)


@dataclass
class Metadata:
    """What an image file says about its pixels.

    Attributes:
        icc: ICC color profile.
        exif: EXIF data as in a JPEG file, without an orientation: pixels are upright.
        xmp: XMP packet, without an orientation.
        dpi: Pixels per inch, horizontal and vertical.
        exr: Header and further channels of an OpenEXR file.
        cicp: Primaries, transfer function, matrix and range as codes of ITU-T H.273.
        gamma: Exponent from linear light to stored values, as in PNG's gAMA.
        chromaticities: x and y of white, red, green and blue, as in PNG's cHRM.
        photoshop: Photoshop's image resources, with IPTC among them.
        jpeg: Markers and contents of a JPEG file's comments and further segments.
        png: Kinds and contents of further chunks of a PNG file: texts, and colors as above.
        tiff: Codes, types, counts and values of further tags of a TIFF file.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    exr: tuple[dict[str, Any], dict[str, Any]] | None = None
    cicp: tuple[int, int, int, int] | None = None
    gamma: float | None = None
    chromaticities: tuple[float, ...] | None = None
    photoshop: bytes | None = None
    jpeg: tuple[tuple[int, bytes], ...] = ()
    png: tuple[tuple[bytes, bytes], ...] = ()
    tiff: tuple[tuple[int, int, int, Any], ...] = ()


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
        stored_type: Type of the file's values, where `color.to_linear` made linear light of them.
        bits: Bits of a value, where the file uses fewer than its type has.
        extra: Further channels that are no alpha, such as infrared, [H, W, n].
        extra_kinds: Of each further channel, what TIFF's tag says it is.
    """

    samples: np.ndarray
    premultiplied: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    warnings: list[str] = field(default_factory=list)
    stored_type: np.dtype | None = None
    bits: int | None = None
    extra: np.ndarray | None = None
    extra_kinds: tuple[int, ...] = ()

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

    @property
    def file_type(self) -> np.dtype:
        """Type of the values in the file that it is from."""
        return self.samples.dtype if self.stored_type is None else self.stored_type


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


def scale_bits(values: np.ndarray, bits: int, to: int) -> np.ndarray:
    """Converts integers so that white, the largest of `bits`, becomes the largest of `to`."""
    old, new = 2**bits - 1, 2**to - 1
    return ((values.astype(np.uint32) * new + old // 2) // old).astype(np.uint16)


def place_on(picture: Picture, background: tuple[int, int, int]) -> Picture:
    """Returns an opaque picture: where it is transparent, a color shows through.

    Args:
        picture: Of integers, with straight alpha or none.
        background: Red, green and blue, 0 to 255. A gray picture stays gray on gray.
    """
    if not picture.has_alpha:
        return picture
    white = np.iinfo(picture.samples.dtype).max
    pixels, alpha = picture.pixels, picture.samples[..., -1:]
    if pixels.shape[2] == 1 and len(set(background)) == 1:
        background = background[:1]  # type: ignore[assignment]
    under = np.array(background) / 255.0 * white
    result = np.empty((*pixels.shape[:2], max(pixels.shape[2], len(under))), pixels.dtype)
    for row, colors, cover in zip(result, pixels, alpha / white, strict=True):
        row[...] = np.rint(under + cover * (colors - under))
    return replace(picture, samples=result)


@dataclass(frozen=True)
class Limits:
    """How much may be decoded.

    Attributes:
        bytes: Memory that decoding may take; None for no limit.
        pixels: Pixels that an image may have.
    """

    bytes: int | None = None
    pixels: int = MAX_PIXELS

    def check(self, size: tuple[int, int], needed: int) -> None:
        """Checks the size in a file's header before its pixels are decoded.

        Args:
            size: (width, height) in pixels.
            needed: Memory in bytes that decoding takes.

        Raises:
            UserError: If there are no pixels, so many that it may be a decompression bomb, or they
                need too much memory.
        """
        width, height = size
        text = f"{width} x {height} pixels"
        if width < 1 or height < 1:
            raise UserError(f"holds no pixels: {text}")
        if width * height > self.pixels:
            raise UserError(
                f"holds {text}, more than {self.pixels / 1e6:g} million, and may be a "
                f"decompression bomb; if it is none, allow --max_pixels={width * height}"
            )
        if self.bytes is not None and needed > self.bytes:
            raise UserError(
                f"holds {text}, which take {needed / 1e6:.0f} MB to decode where "
                f"{self.bytes / 1e6:.0f} MB are left; raise --max_memory"
            )
