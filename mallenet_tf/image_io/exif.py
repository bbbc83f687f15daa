"""Applies the orientation of EXIF and XMP, and makes EXIF portable between formats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

ORIENTATION = 0x0112
SUB_DIRECTORIES = (0x8769, 0x8825)  # Directories of tags: EXIF's own and that of GPS.
# Tags of a TIFF file that describe the image, not how the file stores it.
DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
_XMP_ORIENTATION = re.compile(
    rb'tiff:Orientation="([0-9])"|<tiff:Orientation>([0-9])</tiff:Orientation>'
)


def apply_orientation(array: np.ndarray, orientation: int) -> np.ndarray:
    """Turns and mirrors stored pixels so that they are upright.

    Args:
        array: [H, W, ...].
        orientation: EXIF's number, 1 to 8; 1 is upright.

    Returns:
        A view of the array.
    """
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def split_orientation(xmp: bytes | str | None) -> tuple[bytes | None, int]:
    """Returns an XMP packet without its orientation, and the orientation, 1 if it has none."""
    packet = xmp.encode() if isinstance(xmp, str) else xmp
    found = _XMP_ORIENTATION.search(packet or b"")
    if packet is None or found is None:
        return packet, 1
    return _XMP_ORIENTATION.sub(b"", packet), int(found[1] or found[2])


class _Latin1(str):
    """Text of EXIF; Pillow reads bytes as Latin-1, but writes other text as ASCII only."""

    def encode(self, encoding: str = "latin-1", errors: str = "strict") -> bytes:
        return super().encode("latin-1")


def preserve_text(tags: Mapping[int, Any]) -> dict[int, Any]:
    """Returns EXIF tags whose text Pillow writes with the bytes that it read."""
    return {tag: _Latin1(value) if isinstance(value, str) else value for tag, value in tags.items()}


def portable_exif(exif: Image.Exif, from_tiff: bool) -> bytes | None:
    """Encodes EXIF data so that every format can hold it.

    The orientation is dropped, and so are a TIFF file's tags that say how it stores pixels.

    Args:
        exif: As Pillow read it.
        from_tiff: Whether it is a TIFF file's own directory of tags.

    Returns:
        The data as in a JPEG file; None if nothing is left.
    """
    kept = Image.Exif()
    for tag, value in preserve_text(exif).items():
        if tag in DESCRIPTIVE_TAGS or not (from_tiff or tag in (ORIENTATION, *SUB_DIRECTORIES)):
            kept[tag] = value
    for directory in SUB_DIRECTORIES:
        if content := preserve_text(exif.get_ifd(directory)):
            kept.get_ifd(directory).update(content)
    filled = len(kept) or any(kept.get_ifd(directory) for directory in SUB_DIRECTORIES)
    return kept.tobytes() if filled else None
