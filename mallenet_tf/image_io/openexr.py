"""Reads and writes OpenEXR files, floats in linear light."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.picture import Limits, Metadata, Picture


def read_exr(path: Path, limits: Limits) -> Picture:
    """Reads an OpenEXR file with the channels R, G and B, or Y.

    All other channels are kept in the metadata.

    Args:
        path: The file.
        limits: How much may be decoded.

    Raises:
        UserError: If the file has several parts, subsampled channels or no such channels.
        Exception: Whatever OpenEXR raises for damaged files.
    """
    import OpenEXR

    with OpenEXR.File(str(path), header_only=True) as file:
        low, high = file.header()["dataWindow"]
        size = (int(high[0] - low[0] + 1), int(high[1] - low[1] + 1))
        limits.check(size, 4 * size[0] * size[1] * len(file.header()["channels"]))
    with OpenEXR.File(str(path), separate_channels=True) as file:
        if len(file.parts) > 1:
            raise UserError(f"holds {len(file.parts)} parts; save the one to denoise by itself")
        header, channels = dict(file.header()), dict(file.channels())
    names = ["R", "G", "B"] if {"R", "G", "B"} <= set(channels) else ["Y"]
    if not set(names) <= set(channels):
        raise UserError(f"holds the channels {' '.join(channels)}, not R, G and B or Y")
    arrays = [channels.pop(name).pixels for name in names]
    if any(array.shape != arrays[0].shape or array.dtype.kind != "f" for array in arrays):
        raise UserError("holds channels that are subsampled or no floats")
    if "A" in channels:
        arrays.append(channels.pop("A").pixels)
    return Picture(np.dstack(arrays), premultiplied=True, metadata=Metadata(exr=(header, channels)))


def write_exr(path: Path, picture: Picture) -> None:
    """Writes floats as OpenEXR, with the header and other channels of the file they are from."""
    import OpenEXR

    default = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    header, channels = picture.metadata.exr or (default, {})
    names = ("Y", "YA", "RGB", "RGBA")[picture.samples.shape[2] - 1]
    kind = np.float16 if picture.samples.dtype == np.float16 else np.float32
    arrays = {
        name: np.ascontiguousarray(picture.samples[..., index], kind)
        for index, name in enumerate(names)
    }
    OpenEXR.File(header, {**channels, **arrays}).write(str(path))
