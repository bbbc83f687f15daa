"""Reads what a JPEG file holds beside its pixels: comments, IPTC, and what follows the picture."""

from __future__ import annotations

import io
import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from mallenet_tf.image_io.picture import Metadata, Picture
from mallenet_tf.image_io.xmp import CREDENTIALS, GAIN_MAP, VIDEO

_START, _END, _SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD8))  # Markers alone; those of restarts are in scans.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_PHOTOSHOP = b"Photoshop 3.0\0"
_SEGMENT_BYTES = 65533
_FILLER_BYTES = 4096
_THUMBNAILS = (0x0409, 0x040C)  # Of the picture as it was.
_IPTC = 0x0404
# Segments that are read elsewhere, that say how pixels are compressed, or where other pictures are.
_LEFT_OUT = (
    (0xE0, b""),
    (0xE1, b"Exif\0\0"),
    (0xE1, b"http://ns.adobe.com/xap/1.0/\0"),
    (0xE2, b"ICC_PROFILE\0"),
    (0xE2, b"MPF\0"),
    (0xE2, b"urn:iso:std:iso:ts:21496:-1"),
    (0xEA, b"AROT"),
    (0xEC, b"Ducky"),
    (0xED, _PHOTOSHOP),
    (0xEE, b"Adobe"),
)
_GAIN_MAPS = (b"urn:iso:std:iso:ts:21496:-1", b"http://ns.adobe.com/hdr-gain-map", b"HDRGainMap")


@dataclass
class Layout:
    """Where things are in a JPEG file.

    Attributes:
        segments: Markers and contents of comments and application segments.
        end: Where the picture ends; None if its last marker is missing.
    """

    segments: list[tuple[int, bytes]] = field(default_factory=list)
    end: int | None = None


def read_layout(data: bytes | mmap.mmap) -> Layout:
    """Finds the segments and the end of a JPEG file."""
    layout, place = Layout(), 2
    while place + 2 <= len(data):
        marker = data[place + 1]
        if data[place] != 0xFF or marker == 0xFF:
            place += 1
        elif marker == _END:
            layout.end = place + 2
            break
        elif marker in _WITHOUT_LENGTH:
            place += 2
        else:
            length = int.from_bytes(data[place + 2 : place + 4], "big")
            if marker == _COMMENT or marker in _APPLICATION:
                layout.segments.append((marker, data[place + 4 : place + 2 + length]))
            place += 2 + max(length, 2)
            if marker == _SCAN:
                found = _AFTER_SCAN.search(data, place)
                place = found.start() if found else len(data)
    return layout


def add_end(data: bytes) -> bytes | None:
    """Returns a JPEG file that lacks its end marker with one; None if it lacks more.

    Where pixels are missing, a decoder makes them of whatever follows.
    """
    if read_layout(data).end is not None:
        return None
    whole = data.rstrip(b"\xff") + b"\xff\xd9"
    pixels = []
    for ended in (whole, whole[:-2] + b"\x55" * _FILLER_BYTES + whole[-2:]):
        with Image.open(io.BytesIO(ended)) as image:
            pixels.append(np.asarray(image))
    return whole if np.array_equal(pixels[0], pixels[1]) else None


def add_segments(picture: Picture, path: Path) -> Picture:
    """Adds what the segments of a JPEG file say, and names what is not kept."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        layout = read_layout(data)
        trailer = b"" if layout.end is None else data[layout.end :].rstrip(b"\0")
    contents = [content for _, content in layout.segments]
    blocks = b"".join(
        content[len(_PHOTOSHOP) :] for content in contents if content.startswith(_PHOTOSHOP)
    )
    kept, lost = [], []
    for marker, content in layout.segments:
        if marker == 0xEB and content.startswith(b"JP"):
            lost.append(CREDENTIALS if b"c2pa" in content else "the JPEG XT extension in APP11")
        elif not any(marker == code and content.startswith(start) for code, start in _LEFT_OUT):
            kept.append((marker, content))
    lost += _names_behind(trailer, contents)
    metadata = replace(
        picture.metadata, photoshop=without_thumbnails(blocks) or None, jpeg=tuple(kept)
    )
    warnings = [f"{what} is not kept" for what in dict.fromkeys(lost)]
    return replace(picture, metadata=metadata, warnings=picture.warnings + warnings)


def _names_behind(trailer: bytes, contents: Sequence[bytes]) -> list[str]:
    """Names what follows a picture, and what its segments say follows."""
    names = []
    if any(mark in part for part in (trailer, *contents) for mark in _GAIN_MAPS):
        names.append(GAIN_MAP)
    elif trailer.startswith(b"\xff\xd8"):
        names.append("what follows the picture: a preview or another picture")
    if b"ftyp" in trailer:
        names.append(VIDEO)
    if trailer and not names:
        names.append(f"what follows the picture: {len(trailer)} bytes")
    return names


def _resources(blocks: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields Photoshop's image resources: the number and all bytes of each."""
    place = 0
    while blocks[place : place + 4] == b"8BIM" and place + 12 <= len(blocks):
        start = place
        name = blocks[place + 6] + 1
        place += 6 + name + name % 2
        size = int.from_bytes(blocks[place : place + 4], "big")
        place += 4 + size + size % 2
        yield int.from_bytes(blocks[start + 4 : start + 6], "big"), blocks[start:place]


def without_thumbnails(blocks: bytes) -> bytes:
    """Returns Photoshop's image resources without pictures of the picture as it was."""
    return b"".join(content for number, content in _resources(blocks) if number not in _THUMBNAILS)


def photoshop_names(blocks: bytes) -> str:
    """Names what image resources hold in a conversion warning."""
    numbers = [number for number, _ in _resources(blocks)]
    return "IPTC" if _IPTC in numbers else "Photoshop's image resources"


def iptc_resource(iptc: bytes) -> bytes:
    """Returns IPTC data as an image resource."""
    padding = b"\0" * (len(iptc) % 2)
    return b"8BIM\x04\x04\0\0" + len(iptc).to_bytes(4, "big") + iptc + padding


def segment_bytes(metadata: Metadata) -> bytes:
    """Encodes comments, application segments and IPTC for the head of a JPEG file."""
    parts = list(metadata.jpeg)
    blocks, room = metadata.photoshop or b"", _SEGMENT_BYTES - len(_PHOTOSHOP)
    for start in range(0, len(blocks), room):
        parts.append((0xED, _PHOTOSHOP + blocks[start : start + room]))
    return b"".join(
        bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content
        for marker, content in parts
    )


def segment_names(segments: Sequence[tuple[int, bytes]]) -> str:
    """Names comments and application segments in a conversion warning."""
    comments = any(marker == _COMMENT for marker, _ in segments)
    markers = dict.fromkeys(f"APP{marker - 0xE0}" for marker, _ in segments if marker != _COMMENT)
    names = ["comments"] * comments + [f"JPEG's segments {', '.join(markers)}"] * bool(markers)
    return " and ".join(names)
