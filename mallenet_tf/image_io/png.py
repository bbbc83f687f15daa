"""Reads PNG's chunks, and pixels of 16 bits, which Pillow supports only as gray; writes PNG."""

from __future__ import annotations

import io
import mmap
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import ImageFile

from mallenet_tf.image_io.exif import ORIENTATION, apply_orientation
from mallenet_tf.image_io.picture import Limits, Metadata, Picture
from mallenet_tf.image_io.pillow_formats import read_metadata, write_pillow
from mallenet_tf.image_io.xmp import CREDENTIALS

_SIGNATURE_BYTES = 8
_METADATA_CHUNKS = (b"eXIf", b"iTXt", b"tEXt", b"zTXt")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_XMP_KEYWORD = b"XML:com.adobe.xmp"
# What the pixels, Pillow's metadata and the palette are made from; an animation is refused.
_READ_ELSEWHERE = (
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"eXIf", b"hIST", b"sPLT"),
    *(b"acTL", b"fcTL", b"fdAT"),
)
# Chunks that may be kept though they are about the pixels: their colors, size and place.
_COLORS = (b"gAMA", b"cHRM", b"sRGB", b"cICP")
_KEPT = (*_COLORS, b"mDCV", b"cLLI", b"oFFs", b"pCAL", b"sCAL", b"sTER", b"tIME", b"pHYs")
_NAMES = {
    b"caBX": CREDENTIALS,
    b"bKGD": "the background color",
    b"sBIT": "the number of significant bits",
}


def read_png(image: ImageFile.ImageFile, path: Path, limits: Limits) -> Picture:
    """Reads a PNG file of 16 bits a value.

    Args:
        image: The file, opened by Pillow.
        path: The file.
        limits: How much may be decoded.

    Raises:
        UserError: If it is larger than the limits.
        Exception: Whatever Pillow and libpng raise for damaged files.
    """
    import imagecodecs

    limits.check(image.size, 8 * image.width * image.height)
    metadata = read_metadata(image)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        samples = imagecodecs.png_decode(data)
    samples = samples.reshape(*samples.shape[:2], -1)
    orientation = image.getexif().get(ORIENTATION, 1)
    return Picture(apply_orientation(samples, orientation), metadata=metadata)


def add_chunks(picture: Picture, path: Path) -> Picture:
    """Adds what the chunks of a PNG file say of its colors, its texts, and what is not kept."""
    kept: list[tuple[bytes, bytes]] = []
    lost: list[str] = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for kind, start, end in _chunks(data):
            if kind in _READ_ELSEWHERE or kind == b"pHYs" and picture.metadata.dpi:
                continue
            content = data[start + 8 : end - 4]
            if kind in _TEXTS:
                if _keyword(content) not in (_XMP_KEYWORD, b"Raw profile type exif"):
                    kept.append((kind, content))
            elif kind in _KEPT or (kind.isalpha() and (kind[:1] + kind[3:]).islower()):
                # Safe to copy, says the name.
                kept.append((kind, content))
            else:
                lost.append(_NAMES.get(kind, f"the PNG chunk {kind.decode('latin-1')}"))
    found = dict(kept)
    metadata = replace(picture.metadata, png=tuple(kept))
    if len(found.get(b"cICP", b"")) == 4:
        metadata.cicp = tuple(found[b"cICP"])  # type: ignore[assignment]
    if len(found.get(b"gAMA", b"")) == 4 and b"sRGB" not in found:
        metadata.gamma = struct.unpack(">I", found[b"gAMA"])[0] / 100_000 or None
    if len(found.get(b"cHRM", b"")) == 32 and b"sRGB" not in found:
        values = struct.unpack(">8I", found[b"cHRM"])
        metadata.chromaticities = tuple(value / 100_000 for value in values)
    warnings = [f"{what} is not kept" for what in lost]
    return replace(picture, metadata=metadata, warnings=picture.warnings + warnings)


def chunk_names(chunks: Sequence[tuple[bytes, bytes]]) -> str:
    """Names what chunks hold beside colors in a conversion warning; empty if nothing."""
    texts = dict.fromkeys(
        _keyword(content).decode("latin-1") for kind, content in chunks if kind in _TEXTS
    )
    others = dict.fromkeys(kind.decode() for kind, _ in chunks if kind not in (*_COLORS, *_TEXTS))
    names = [f"PNG's texts ({', '.join(texts)})"] * bool(texts)
    return " and ".join(names + [f"PNG's {', '.join(others)}"] * bool(others))


def _keyword(content: bytes) -> bytes:
    return content.partition(b"\0")[0]


def write_png(path: Path, picture: Picture) -> None:
    """Writes pixels of 8 or 16 bits a value as PNG."""
    import imagecodecs

    samples = np.ascontiguousarray(picture.samples)
    encoded = imagecodecs.png_encode(samples, level=1)
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
    """Encodes metadata, between the header and the pixels: some as Pillow does, some as read."""
    buffer = io.BytesIO()
    write_pillow(buffer, "PNG", Picture(np.zeros((1, 1, 1), np.uint8), metadata=metadata))
    png = buffer.getvalue()
    pixels = next(start for kind, start, _ in _chunks(png) if kind == b"IDAT")
    chunks = [_chunk(kind, content) for kind, content in metadata.png]
    if metadata.cicp and b"cICP" not in dict(metadata.png):
        chunks.append(_chunk(b"cICP", bytes((*metadata.cicp[:2], 0, 1))))  # RGB of full range.
    return b"".join([*chunks, png[_end_of_header(png) : pixels]])


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


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
