"""A picture between two files: its pixels, and what a file says about them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from mallenet_tf.common.errors import UserError

# Larger images are taken for decompression bombs; a scan of 20,000 x 20,000 is not one.
MOST_PIXELS = 500_000_000
ORIENTATION = 0x0112
FOLDERS = (EXIF_FOLDER, GPS_FOLDER) = (0x8769, 0x8825)
# Of a TIFF's own tags, those that describe the picture and not how the file stores it.
DESCRIPTION_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
XMP_ORIENTATION = re.compile(
    rb'tiff:Orientation="([0-9])"|<tiff:Orientation>([0-9])</tiff:Orientation>'
)


@dataclass
class Metadata:
    """What a file says about its pixels.

    Attributes:
        icc: The colour profile.
        exif: Camera data as in a JPEG file, without an orientation: pixels are upright.
        xmp: An XMP packet, without an orientation either.
        dpi: Pixels per inch, horizontal and vertical.
        exr: The header and the other channels of an OpenEXR file.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    exr: tuple[dict[str, Any], dict[str, Any]] | None = None


@dataclass
class Picture:
    """An image as it is denoised: upright, gray or RGB.

    Attributes:
        samples: [H, W, 1 to 4]: gray or RGB, then alpha if their number is even. uint8 and uint16
            are display-referred; floats are linear light, with 1 as white, and may exceed it.
        premultiplied: Whether the colours are multiplied by alpha.
        metadata: What goes into the output file beside the pixels.
        notes: What reading changed or left out, in words.
    """

    samples: np.ndarray
    premultiplied: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    notes: list[str] = field(default_factory=list)

    @property
    def has_alpha(self) -> bool:
        return self.samples.shape[2] % 2 == 0

    @property
    def pixels(self) -> np.ndarray:
        """Gray or RGB, [H, W, 1 or 3]: a view, which may be written to."""
        return self.samples[..., :-1] if self.has_alpha else self.samples

    @property
    def linear(self) -> bool:
        """Whether the pixels are floats, which hold linear light."""
        return self.samples.dtype.kind == "f"


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """[H, W, ...] turned and mirrored as an EXIF orientation from 1 to 8 says; a view."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def with_alpha_as(picture: Picture, premultiplied: bool) -> Picture:
    """The picture with its colours multiplied by alpha or not; itself where nothing is to change.

    Invisible colours become 0 when they are multiplied, and stay what they are when divided.
    """
    if not picture.has_alpha or picture.premultiplied == premultiplied:
        return picture
    samples = picture.samples.copy()
    white = 1 if picture.linear else np.iinfo(samples.dtype).max
    for row in samples:
        colours, alpha = row[..., :-1].astype(np.float64), row[..., -1:] / np.float64(white)
        if premultiplied:
            colours = np.multiply(colours, alpha, out=np.zeros_like(colours), where=alpha != 0)
        else:
            np.divide(colours, alpha, out=colours, where=alpha != 0)
        row[..., :-1] = colours if picture.linear else np.rint(np.minimum(colours, white))
    return replace(picture, samples=samples, premultiplied=premultiplied)


def without_orientation(xmp: bytes | str | None) -> tuple[bytes | None, int]:
    """An XMP packet without its orientation, and that orientation: 1, upright, if it has none."""
    packet = xmp.encode() if isinstance(xmp, str) else xmp
    found = XMP_ORIENTATION.search(packet or b"")
    if packet is None or found is None:
        return packet, 1
    return XMP_ORIENTATION.sub(b"", packet), int(found[1] or found[2])


class _Text(str):
    """Text of EXIF: Pillow reads it as Latin-1, whatever it is, but would write it as ASCII."""

    def encode(self, encoding: str = "latin-1", errors: str = "strict") -> bytes:
        return super().encode("latin-1")


def keep_text(tags: Mapping[int, Any]) -> dict[int, Any]:
    """EXIF's tags as Pillow read them, with text of which it will write the bytes it read."""
    return {tag: _Text(value) if isinstance(value, str) else value for tag, value in tags.items()}


def portable_exif(exif: Image.Exif, from_tiff: bool) -> bytes | None:
    """EXIF data without its orientation; a TIFF's without the tags that say how it stores pixels.

    Returns:
        The data as in a JPEG file; None if nothing is left.
    """
    kept = Image.Exif()
    for tag, value in keep_text(exif).items():
        if tag in DESCRIPTION_TAGS or not (from_tiff or tag in (ORIENTATION, *FOLDERS)):
            kept[tag] = value
    for folder in FOLDERS:
        if content := keep_text(exif.get_ifd(folder)):
            kept.get_ifd(folder).update(content)
    return kept.tobytes() if len(kept) or any(kept.get_ifd(folder) for folder in FOLDERS) else None


def check_size(size: tuple[int, int], bytes_needed: int, most_bytes: int | None) -> None:
    """Raises UserError for what is no image, a decompression bomb, or too large for the memory."""
    width, height = size
    text = f"{width} x {height} pixels"
    if width < 1 or height < 1:
        raise UserError(f"holds no pixels: {text}")
    if width * height > MOST_PIXELS:
        raise UserError(
            f"holds {text}, more than {MOST_PIXELS // 10**6} million; it is taken for a "
            "decompression bomb"
        )
    if most_bytes is not None and bytes_needed > most_bytes:
        raise UserError(
            f"holds {text}, which take {bytes_needed / 1e6:.0f} MB to decode where "
            f"{most_bytes / 1e6:.0f} MB are left; raise --max_memory"
        )
