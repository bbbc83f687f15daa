"""Names the image formats that are read and written, and what each can hold."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.picture import Metadata, Picture

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".exr": "EXR",
}
RAW_SUFFIXES = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2")
# What is read: the formats that are written, and camera raw.
IMAGE_SUFFIXES = (*FORMATS, *RAW_SUFFIXES)
# OpenEXR holds linear floats alone, which training and evaluation do not take.
INTEGER_SUFFIXES = tuple(suffix for suffix in IMAGE_SUFFIXES if suffix != ".exr")
_MAX_SIDES = {"JPEG": 65500, "WEBP": 16383}  # That of JPEG is libjpeg's.
_METADATA = {
    "icc": "the color profile",
    "exif": "EXIF",
    "xmp": "XMP",
    "dpi": "the resolution",
    "exr": "OpenEXR's header and other channels",
}
_UNSUPPORTED = {
    "PNG": {"exr"},
    "JPEG": {"exr"},
    "BMP": {"icc", "exif", "xmp", "exr"},
    "WEBP": {"dpi", "exr"},
    "TIFF": {"exr"},
    "EXR": {"icc", "exif", "xmp", "dpi"},
}
# A JPEG file holds EXIF and XMP in one segment each, of less than 64 KB.
_MAX_BYTES = {("JPEG", "exif"): 65533, ("JPEG", "xmp"): 65504}


def format_of(path: str | os.PathLike) -> str:
    """Returns the format that a path's suffix names, one of the values of `FORMATS`.

    Raises:
        UserError: If the suffix names no format that can be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise UserError(
            f"The output's suffix must be one of {' '.join(FORMATS)}. Received: {os.fspath(path)!r}"
        )
    return FORMATS[suffix]


def is_raw_file(path: str | os.PathLike) -> bool:
    """Returns whether a path has the suffix of a camera raw file."""
    return Path(path).suffix.lower() in RAW_SUFFIXES


def result_path(path: Path) -> Path:
    """Returns where the result of an image goes: TIFF for camera raw, which is not written."""
    return path.with_suffix(".tif") if is_raw_file(path) else path


def storable_metadata(form: str, metadata: Metadata) -> Metadata:
    """Returns the metadata that a format can hold."""
    return replace(metadata, **dict.fromkeys(_lost_metadata(form, metadata)))


def _lost_metadata(form: str, metadata: Metadata) -> dict[str, str]:
    """Maps the fields that a format cannot hold to their names in a conversion warning."""
    lost = {}
    for field, name in _METADATA.items():
        value = getattr(metadata, field)
        if value and field in _UNSUPPORTED[form]:
            lost[field] = name
        elif value and len(value) > _MAX_BYTES.get((form, field), len(value)):
            lost[field] = f"{name} of more than 64 KB"
    return lost


def check_storable(path: str | os.PathLike, picture: Picture) -> None:
    """Checks that a file of this suffix can hold the pixels of a picture.

    Raises:
        UserError: If the suffix names no format, the image is too large for the format, or the
            format holds no such pixels.
    """
    form = format_of(path)
    name = os.fspath(path)
    height, width, _ = picture.samples.shape
    if max(height, width) > _MAX_SIDES.get(form, max(height, width)):
        raise UserError(
            f"{form} holds at most {_MAX_SIDES[form]} pixels a side; write PNG or TIFF. "
            f"Received: {width} x {height} for {name!r}"
        )
    if picture.linear and form not in ("TIFF", "EXR"):
        raise UserError(f"{form} cannot hold linear floats; write .tif or .exr. Received: {name!r}")
    if form == "EXR" and not picture.linear:
        raise UserError(
            f"OpenEXR holds linear floats; write .png or .tif. Received: {name!r} for "
            f"{picture.samples.dtype} pixels"
        )


def conversion_warnings(path: str | os.PathLike, picture: Picture) -> list[str]:
    """Lists what a file of this suffix cannot hold of a picture.

    Raises:
        UserError: As `check_storable`.
    """
    check_storable(path, picture)
    form = format_of(path)
    lost = ["alpha"] if picture.has_alpha and form in ("JPEG", "BMP") else []
    lost += _lost_metadata(form, picture.metadata).values()
    warnings = [f"{form} cannot hold {what}" for what in lost]
    if picture.samples.dtype == np.uint16 and form not in ("PNG", "TIFF"):
        warnings.append(f"{form} holds 8 of the 16 bits")
    if picture.samples.dtype == np.float64 and form == "EXR":
        warnings.append("OpenEXR holds 32 of the 64 bits")
    return warnings
