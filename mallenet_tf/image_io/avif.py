"""Reads what Pillow leaves out of AVIF files: more than 8 bits, and colors without a profile."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from mallenet_tf.image_io.exif import apply_orientation
from mallenet_tf.image_io.picture import Picture, scale_bits

_HEAD = 1 << 16  # Bytes that hold the properties of the picture.


def add_properties(picture: Picture, path: Path, orientation: int) -> Picture:
    """Adds the depth and the colors of an AVIF file.

    Args:
        picture: What Pillow read, uint8.
        path: The file.
        orientation: EXIF's number for how the picture was turned.
    """
    import imagecodecs

    with path.open("rb") as file:
        head = file.read(_HEAD)
    metadata = picture.metadata
    place = head.find(b"colrnclx")
    if place >= 0 and not metadata.icc:
        primaries, function = struct.unpack_from(">HH", head, place + 8)
        metadata = replace(metadata, cicp=(primaries, function, 0, 1))
    place = head.find(b"pixi")
    bits = head[place + 9] if place >= 0 else 8
    if bits <= 8:
        return replace(picture, metadata=metadata)
    deep = imagecodecs.avif_decode(path.read_bytes())
    deep = scale_bits(deep.reshape(*deep.shape[:2], -1), bits, 16)
    upright = np.ascontiguousarray(apply_orientation(deep, orientation))
    return replace(picture, samples=upright, metadata=metadata, bits=bits)
