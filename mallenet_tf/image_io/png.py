"""Reads and writes PNG files of 16 bits a value, which Pillow supports only as gray."""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ImageFile

from mallenet_tf.image_io.exif import ORIENTATION, apply_orientation
from mallenet_tf.image_io.picture import Metadata, Picture, check_size
from mallenet_tf.image_io.pillow_formats import read_metadata, write_pillow

_SIGNATURE_BYTES = 8
_METADATA_CHUNKS = (b"eXIf", b"iTXt", b"tEXt", b"zTXt")


def read_png(image: ImageFile.ImageFile, path: Path, max_bytes: int | None) -> Picture:
    """Reads a PNG file of 16 bits a value.

    Args:
        image: The file, opened by Pillow.
        path: The file.
        max_bytes: Memory that may be taken; None for no limit.

    Raises:
        UserError: If that is not enough.
        Exception: Whatever Pillow and libpng raise for damaged files.
    """
    import imagecodecs

    check_size(image.size, 8 * image.width * image.height, max_bytes)
    metadata = read_metadata(image)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        samples = imagecodecs.png_decode(data)
    samples = samples.reshape(*samples.shape[:2], -1)
    orientation = image.getexif().get(ORIENTATION, 1)
    return Picture(apply_orientation(samples, orientation), metadata=metadata)


def write_png(path: Path, picture: Picture) -> None:
    """Writes uint16 pixels as PNG, with the chunks of metadata that Pillow would write."""
    import imagecodecs

    encoded = imagecodecs.png_encode(np.ascontiguousarray(picture.samples), level=1)
    header = _end_of_header(encoded)
    with path.open("wb") as file:
        file.write(encoded[:header])
        file.write(_metadata_chunks(picture.metadata))
        file.write(memoryview(encoded)[header:])


def has_trailing_metadata(path: Path) -> bool:
    """Returns whether EXIF or XMP may follow the pixels; Pillow reads both only with the pixels."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        kinds = [kind for kind, _, _ in _chunks(data)]
    return any(kind in _METADATA_CHUNKS for kind in kinds[kinds.index(b"IDAT") :])


def _metadata_chunks(metadata: Metadata) -> bytes:
    """Encodes metadata as Pillow does, between the header and the pixels."""
    buffer = io.BytesIO()
    write_pillow(buffer, "PNG", Picture(np.zeros((1, 1, 1), np.uint8), metadata=metadata))
    png = buffer.getvalue()
    pixels = next(start for kind, start, _ in _chunks(png) if kind == b"IDAT")
    return png[_end_of_header(png) : pixels]


def _end_of_header(png: bytes | bytearray) -> int:
    return next(end for kind, _, end in _chunks(png) if kind == b"IHDR")


def _chunks(png: bytes | bytearray | mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Yields (kind, start, end) of the chunks.

    A chunk has 4 bytes of length, 4 of kind, its data, and 4 of checksum.
    """
    start = _SIGNATURE_BYTES
    while start + 8 <= len(png):
        length, kind = struct.unpack(">I4s", png[start : start + 8])
        yield kind, start, start + 12 + length
        start += 12 + length
