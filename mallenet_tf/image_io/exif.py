"""Applies the orientation of EXIF and XMP, and makes EXIF portable between formats."""

from __future__ import annotations

import contextlib
import io
import re
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

EXIF_PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
_THUMBNAIL = (0x0201, 0x0202)  # Its place and size.
_THUMBNAIL_SIZE = (160, 160)
_SIDES = (0xA002, 0xA003)  # Width and height, in EXIF's own directory.
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


def upright_exif(raw: bytes | None) -> bytes | None:
    """Returns EXIF data of which the orientation is upright; its other bytes stay in their places.

    So maker notes, which refer to places, stay valid. The width and height that it says are
    exchanged where the picture was turned by a quarter.

    Args:
        raw: As in a JPEG file, or without the first 6 bytes.

    Returns:
        The data, or None if it is so damaged that nobody can tell its orientation, or readers would
        turn the picture again.
    """
    if not raw:
        return None
    data = bytearray(raw if raw.startswith(EXIF_PREFIX) else EXIF_PREFIX + raw)
    with contextlib.suppress(struct.error):  # Damaged data is kept as far as it can be.
        _set_upright(data)
    return bytes(data) if _is_upright(bytes(data)) else None


def _set_upright(data: bytearray) -> None:
    start = len(EXIF_PREFIX)
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[start : start + 2]))
    if order is None:
        return
    (first,) = struct.unpack_from(order + "I", data, start + 4)
    entries = _entries(data, start + first, order)
    place = entries.get(ORIENTATION)
    if place is None:
        return
    (orientation,) = struct.unpack_from(order + "H", data, place + 8)
    struct.pack_into(order + "H", data, place + 8, 1)
    if SUB_DIRECTORIES[0] in entries and orientation in (5, 6, 7, 8):
        (camera,) = struct.unpack_from(order + "I", data, entries[SUB_DIRECTORIES[0]] + 8)
        sides = _entries(data, start + camera, order)
        if all(tag in sides for tag in _SIDES):
            width, height = (slice(sides[tag] + 2, sides[tag] + 12) for tag in _SIDES)
            data[width], data[height] = data[height], data[width]


def _is_upright(data: bytes) -> bool:
    """Returns whether EXIF data can be read, and says that the picture is upright."""
    exif = Image.Exif()
    try:
        exif.load(data)
        return exif.get(ORIENTATION, 1) == 1
    except Exception:  # Pillow raises several unrelated types.
        return False


def renew_thumbnail(raw: bytes, pixels: np.ndarray) -> bytes:
    """Returns EXIF data whose thumbnail, if it has one, shows these pixels.

    It stays in its place, and is dropped if there is too little room for it.

    Args:
        raw: As in a JPEG file.
        pixels: uint8 [H, W, 1 or 3].
    """
    data, start = bytearray(raw), len(EXIF_PREFIX)
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[start : start + 2]))
    try:
        if order is None:
            return raw
        (first,) = struct.unpack_from(order + "I", data, start + 4)
        link = start + first + 2 + 12 * struct.unpack_from(order + "H", data, start + first)[0]
        (second,) = struct.unpack_from(order + "I", data, link)
        places = _entries(data, start + second, order) if second else {}
        if not all(tag in places for tag in _THUMBNAIL):
            return raw
        offset, size = (struct.unpack_from(order + "I", data, places[t] + 8)[0] for t in _THUMBNAIL)
        image = Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
        image.thumbnail(_THUMBNAIL_SIZE)
        for quality in (85, 60, 30):
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=quality)
            if len(jpeg := buffer.getvalue()) <= size:
                data[start + offset : start + offset + size] = jpeg.ljust(size, b"\0")
                struct.pack_into(order + "I", data, places[_THUMBNAIL[1]] + 8, len(jpeg))
                return bytes(data)
        struct.pack_into(order + "I", data, link, 0)
    except struct.error:  # Damaged data has no thumbnail that others find.
        return raw
    return bytes(data)


def _entries(data: bytearray, directory: int, order: str) -> dict[int, int]:
    """Maps the tags of a directory to the places of their entries, 12 bytes each."""
    (count,) = struct.unpack_from(order + "H", data, directory)
    places = range(directory + 2, directory + 2 + 12 * count, 12)
    return {struct.unpack_from(order + "H", data, place)[0]: place for place in places}


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
