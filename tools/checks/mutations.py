"""Damages files: bytes anywhere, and the structure that a format is made of.

Blind mutations mostly die at the first checksum or length. Those that know a format keep its frame
valid, so that what is wrong reaches the code behind it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

Mutation: TypeAlias = Callable[[bytes, np.random.Generator], bytes]

_NUMBERS = (0, 1, 2, 3, 4, 7, 8, 16, 255, 256, 32767, 32768, 65535, 2**31 - 1, 2**31, 2**32 - 1)
_PNG = b"\x89PNG\r\n\x1a\n"


def mutate(content: bytes, random: np.random.Generator) -> bytes:
    """Returns a file with one to four faults in it."""
    for _ in range(int(random.integers(1, 5))):
        structured = _structured(content)
        if structured is not None and random.random() < 0.6:
            content = structured(content, random)
        else:
            content = _mutate_bytes(content, random)
    return content


def _structured(content: bytes) -> Mutation | None:
    if content.startswith(_PNG):
        return _mutate_png
    if content[:4] in (b"II*\0", b"MM\0*"):
        return _mutate_tiff
    if content.startswith(b"\xff\xd8"):
        return _mutate_jpeg
    if content.startswith(b"RIFF"):
        return _mutate_riff
    return None


def _mutate_bytes(content: bytes, random: np.random.Generator) -> bytes:
    if not content:
        return random.bytes(20)
    data = bytearray(content)
    # Headers are small and hold what can go wrong.
    reach = min(len(data), 200) if random.random() < 0.5 else len(data)
    place = int(random.integers(reach))
    kind = random.integers(7)
    if kind == 0:
        data[place] ^= 1 << int(random.integers(8))
    elif kind == 1:
        data[place] = int(random.choice([0, 1, 127, 128, 255]))
    elif kind == 2:
        form = str(random.choice(["<H", ">H", "<I", ">I"]))
        number = int(random.choice(_NUMBERS)) & (2 ** (8 * struct.calcsize(form)) - 1)
        data[place : place + struct.calcsize(form)] = struct.pack(form, number)
    elif kind == 3:
        del data[int(random.integers(len(data))) :]
    elif kind == 4:
        del data[place : place + int(random.integers(1, 64))]
    elif kind == 5:
        start, length = int(random.integers(len(data))), int(random.integers(1, 64))
        data[place:place] = data[start : start + length]
    else:
        length = int(random.integers(1, 64))
        data[place : place + length] = random.bytes(length)
    return bytes(data)


def _mutate_part(parts: list[bytes], random: np.random.Generator) -> list[bytes]:
    """Damages, drops, repeats or moves one part of a file that is made of parts."""
    if not parts:
        return parts
    index = int(random.integers(len(parts)))
    kind = random.integers(5)
    if kind <= 1:
        parts[index] = _mutate_bytes(parts[index], random)
    elif kind == 2:
        del parts[index]
    elif kind == 3:
        parts.insert(int(random.integers(len(parts) + 1)), parts[index])
    else:
        parts.insert(int(random.integers(len(parts))), parts.pop(index))
    return parts


def _mutate_png(content: bytes, random: np.random.Generator) -> bytes:
    """Mutates chunks, whose lengths and checksums are right again."""
    chunks, place = [], len(_PNG)
    while place + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        chunks.append(content[place + 4 : place + 8 + length])  # its type and its data
        place += 12 + length
    written = [
        struct.pack(">I", max(len(chunk) - 4, 0)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in _mutate_part(chunks, random)
    ]
    return _PNG + b"".join(written)


def _mutate_jpeg(content: bytes, random: np.random.Generator) -> bytes:
    """Mutates segments before the scan, whose lengths are right again."""
    segments, place = [], 2
    while place + 4 <= len(content) and content[place] == 0xFF and content[place + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", content, place + 2)
        segments.append(content[place + 1 : place + 2] + content[place + 4 : place + 2 + length])
        place += 2 + length
    written = [
        b"\xff" + part[:1] + struct.pack(">H", (len(part) + 1) & 0xFFFF) + part[1:]
        for part in _mutate_part(segments, random)
    ]
    return b"\xff\xd8" + b"".join(written) + content[place:]


def _mutate_riff(content: bytes, random: np.random.Generator) -> bytes:
    """Mutates the chunks of WebP and AVI files, whose lengths are right again."""
    chunks, place = [], 12
    while place + 8 <= len(content):
        (length,) = struct.unpack_from("<I", content, place + 4)
        chunks.append(content[place : place + 4] + content[place + 8 : place + 8 + length])
        place += 8 + length + length % 2
    written = [
        part[:4] + struct.pack("<I", max(len(part) - 4, 0)) + part[4:] + bytes(len(part) % 2)
        for part in _mutate_part(chunks, random)
    ]
    body = content[8:12] + b"".join(written)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _mutate_tiff(content: bytes, random: np.random.Generator) -> bytes:
    """Changes the tag, type, count or value of an entry of the first directory."""
    order = "<" if content.startswith(b"II") else ">"
    data = bytearray(content)
    if len(data) < 8:
        return _mutate_bytes(content, random)
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    if start + 2 > len(data):
        return _mutate_bytes(content, random)
    (entries,) = struct.unpack_from(f"{order}H", data, start)
    place = start + 2 + 12 * int(random.integers(max(entries, 1)))
    if place + 12 > len(data):
        return _mutate_bytes(content, random)
    form, shift = [("H", 0), ("H", 2), ("I", 4), ("I", 8), ("I", 8)][int(random.integers(5))]
    number = int(random.choice(_NUMBERS)) & (0xFFFF if form == "H" else 0xFFFFFFFF)
    struct.pack_into(order + form, data, place + shift, number)
    return bytes(data)
