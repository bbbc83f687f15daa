"""Reads the EXIF data of camera raw files.

Most formats are TIFF files in all but their first bytes. Fuji's RAF holds a JPEG file, whose place
is in the header; Canon's CR3 holds a TIFF file for each directory, in boxes of ISO 14496-12.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from mallenet_tf.image_io.exif import EXIF_PREFIX, portable_exif

_EXIF, _GPS, _XMP = 0x8769, 0x8825, 700
_MAKER_NOTE = 0x927C
_OF_THE_FILE = (0xA001, 0xA005)  # Color space and interoperability: not those of the result.
_RAF_MAGIC, _RAF_JPEG = b"FUJIFILM", 84
_CR3_DIRECTORIES = {b"CMT1": None, b"CMT2": _EXIF, b"CMT4": _GPS}
_CR3_HEADER = 1 << 20  # Bytes that hold these boxes, which come first.


def read_raw_exif(path: Path) -> tuple[bytes | None, list[str]]:
    """Reads EXIF data without what belongs to the raw file alone.

    Returns:
        The data as in a JPEG file, None if there is none, and conversion warnings.
    """
    try:
        with path.open("rb") as file:
            exif = _read(file)
            camera = exif.get_ifd(_EXIF)
            notes = [(_MAKER_NOTE in camera, "the camera's maker note"), (_XMP in exif, "XMP")]
            for tag in (_MAKER_NOTE, *_OF_THE_FILE):
                camera.pop(tag, None)
            warnings = [f"{name} of a raw file is not kept" for found, name in notes if found]
            return portable_exif(exif, from_tiff=True), warnings
    except Exception as error:  # Pillow raises many unrelated types for damaged data.
        return None, [f"EXIF cannot be read and is not kept: {error or type(error).__name__}"]


def _read(file: BinaryIO) -> Image.Exif:
    header = file.read(_RAF_JPEG + 8)
    exif = Image.Exif()
    if header[:2] in (b"II", b"MM"):
        exif.endian = "<" if header[:2] == b"II" else ">"
        exif.load_from_fp(file, *struct.unpack_from(exif.endian + "I", header, 4))
        return exif
    if header.startswith(_RAF_MAGIC):
        offset, length = struct.unpack_from(">II", header, _RAF_JPEG)
        file.seek(offset)
        with Image.open(io.BytesIO(file.read(length))) as preview:
            return preview.getexif()
    if header[4:8] == b"ftyp":
        file.seek(0)
        return _read_boxes(file.read(_CR3_HEADER))
    raise ValueError("its place in the file is not known")


def _read_boxes(header: bytes) -> Image.Exif:
    exif = Image.Exif()
    for name, directory in _CR3_DIRECTORIES.items():
        start = header.index(name) + len(name)
        (size,) = struct.unpack_from(">I", header, start - 8)  # With these 8 bytes.
        part = Image.Exif()
        part.load(EXIF_PREFIX + header[start : start + size - 8])
        (exif if directory is None else exif.get_ifd(directory)).update(part)
    return exif
