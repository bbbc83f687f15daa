"""Reads and writes JPEG XL files: pixels by imagecodecs, profiles by pillow-jxl-plugin."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mallenet_tf.common.errors import UserError, optional_module
from mallenet_tf.common.transfer import SRGB
from mallenet_tf.image_io.exif import EXIF_PREFIX, split_orientation, upright_exif
from mallenet_tf.image_io.picture import Limits, Metadata, Picture
from mallenet_tf.image_io.xmp import CREDENTIALS

_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_TYPE = b"\0\0\0\x14ftypjxl \0\0\0\0jxl "


def read_jxl(path: Path, limits: Limits) -> Picture:
    """Reads a JPEG XL file of one frame.

    Args:
        path: The file.
        limits: How much may be decoded.

    Raises:
        UserError: If it is larger than the limits, holds several frames, or pillow-jxl-plugin is
            not installed.
        Exception: Whatever libjxl raises for damaged files.
    """
    import imagecodecs

    decoder = optional_module("pillow_jxl", "pillow-jxl-plugin>=1.3", "formats").Decoder
    data = path.read_bytes()
    boxes = list(_boxes(data))
    samples = imagecodecs.jpegxl_decode(data)
    _, info, _, icc, _ = decoder(num_threads=-1)(data)
    if samples.shape[:2] != (info.height, info.width):
        raise UserError(f"holds {len(samples)} frames; save the one to denoise as its own file")
    limits.check((info.width, info.height), 0)
    found = dict(boxes)
    exif = found.get(b"Exif", b"")[4:]  # Behind the offset of its header.
    metadata = Metadata(
        icc=icc or None,
        exif=upright_exif(EXIF_PREFIX + exif) if exif else None,
        xmp=split_orientation(found.get(b"xml "))[0],
    )
    lost = [CREDENTIALS] * (b"jumb" in found) + ["compressed metadata"] * (b"brob" in found)
    warnings = [f"{name} is not kept" for name in lost]
    return Picture(samples.reshape(*samples.shape[:2], -1), metadata=metadata, warnings=warnings)


def write_jxl(path: Path, picture: Picture) -> None:
    """Writes sRGB pixels without loss; 16 bits are stored as linear light, as imagecodecs does."""
    import imagecodecs

    samples, metadata = picture.samples, picture.metadata
    if samples.dtype == np.uint16:
        samples = samples.copy()
        colors = picture.pixels
        linear = SRGB.to_linear(colors)
        samples[..., : colors.shape[2]] = np.rint(np.clip(linear, 0, 1) * np.float32(65535))
    samples = samples[..., 0] if samples.shape[2] == 1 else samples
    stream = bytes(
        imagecodecs.jpegxl_encode(
            np.ascontiguousarray(samples), lossless=True, effort=3, usecontainer=False
        )
    )
    boxes = [box for box in _boxes(stream) if box[0] in (b"jxll", b"jxlc", b"jxlp")]
    boxes = boxes or [(b"jxlc", stream)]
    if metadata.exif:
        boxes.insert(0, (b"Exif", bytes(4) + metadata.exif.removeprefix(EXIF_PREFIX)))
    if metadata.xmp:
        boxes.insert(0, (b"xml ", metadata.xmp))
    boxes.sort(key=lambda box: box[0] != b"jxll")  # The level comes first.
    with path.open("wb") as file:
        file.write(_SIGNATURE + _TYPE)
        for kind, content in boxes:
            file.write(struct.pack(">I4sQ", 1, kind, len(content) + 16))
            file.write(content)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields kinds and contents of the boxes of a container; none for a bare stream."""
    place = len(_SIGNATURE) if data.startswith(_SIGNATURE) else len(data)
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, place + 8)
            head = 16
        end = len(data) if size == 0 else place + max(size, head)
        yield kind, data[place + head : end]
        place = end
