"""Names the image formats that are read and written, and what each can hold."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import jpeg, png, tiff
from mallenet_tf.image_io.color import chunks_as_profile, declared_transfer, is_srgb
from mallenet_tf.image_io.picture import Metadata, Picture
from mallenet_tf.image_io.sniff import content_suffix

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".jif": "JPEG",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".exr": "EXR",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".hif": "HEIF",
    ".avif": "AVIF",
    ".jxl": "JXL",
}
RAW_SUFFIXES = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2")
# What is read: the formats that are written, and camera raw.
IMAGE_SUFFIXES = (*FORMATS, *RAW_SUFFIXES)
# OpenEXR holds linear floats alone, which training and evaluation do not take.
INTEGER_SUFFIXES = tuple(suffix for suffix in IMAGE_SUFFIXES if suffix != ".exr")
_MAX_SIDES = {"JPEG": 65500, "WEBP": 16383}  # That of JPEG is libjpeg's.
OPAQUE = ("JPEG", "BMP")  # Without alpha.
WITHOUT_PROFILE = ("BMP", "JXL")  # Their pixels are converted to sRGB.
_METADATA = {
    "icc": "the color profile; colors become sRGB",
    "exif": "EXIF",
    "xmp": "XMP",
    "dpi": "the resolution",
    "exr": "OpenEXR's header and other channels",
    "photoshop": "IPTC",
    "cicp": "the color space",
    "gamma": "gAMA",
    "chromaticities": "cHRM",
}
# Fields whose contents say what they are, and what names it.
_NAMED: dict[str, Callable[[Any], str]] = {
    "photoshop": jpeg.photoshop_names,
    "jpeg": jpeg.segment_names,
    "png": png.chunk_names,
    "tiff": tiff.tag_names,
}
# What each format holds; where cicp, gamma and chromaticities are not, a profile says them.
_COLORS = {"icc", "cicp", "gamma", "chromaticities"}
_HELD = {
    "PNG": {*_COLORS, "exif", "xmp", "dpi", "png"},
    "JPEG": {*_COLORS, "exif", "xmp", "dpi", "photoshop", "jpeg"},
    "BMP": {"dpi"},
    "WEBP": {*_COLORS, "exif", "xmp"},
    "TIFF": {*_COLORS, "exif", "xmp", "dpi", "photoshop", "tiff"},
    "EXR": {"exr"},
    "HEIF": {*_COLORS, "exif", "xmp"},
    "AVIF": {*_COLORS, "exif", "xmp"},
    "JXL": {"exif", "xmp"},
}
_BITS = {"JPEG": 8, "BMP": 8, "WEBP": 8, "AVIF": 8, "HEIF": 10}  # Others hold what there is.
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


def result_path(path: Path, source: Path | None = None) -> Path:
    """Returns where the result of an image goes.

    Args:
        path: The place of the image below the output: TIFF for camera raw, which is not written.
        source: The image. If its suffix names no format, that of its content is added.
    """
    if source is not None and path.suffix.lower() not in IMAGE_SUFFIXES:
        path = path.with_name(path.name + (content_suffix(source) or ""))
    return path.with_suffix(".tif") if is_raw_file(path) else path


def written_metadata(form: str, picture: Picture) -> Metadata:
    """Returns what a file of a format says of a picture: what of its metadata it can hold.

    Colors that PNG says in chunks become an ICC profile in formats without these.
    """
    nothing = Metadata()
    channels = picture.pixels.shape[2]
    lost = {
        field: getattr(nothing, field) for field in _lost_metadata(form, picture.metadata, channels)
    }
    kept = replace(picture.metadata, **lost)
    said = form == "PNG" or (form == "HEIF" and kept.cicp is not None)
    return kept if said else chunks_as_profile(kept, picture.pixels.shape[2])


def _lost_metadata(form: str, metadata: Metadata, channels: int) -> dict[str, str]:
    """Maps the fields that a format cannot hold to their names in a conversion warning."""
    lost = {}
    held = _HELD[form] | (_COLORS if form == "JXL" and is_srgb(metadata, channels) else set())
    for field, value in vars(metadata).items():
        if value and field not in held:
            lost[field] = _NAMED[field](value) if field in _NAMED else _METADATA[field]
        elif (form, field) in _MAX_BYTES and len(value or b"") > _MAX_BYTES[form, field]:
            lost[field] = f"{_METADATA[field]} of more than 64 KB"
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
    if picture.file_type.kind == "f" and form not in ("TIFF", "EXR"):
        raise UserError(f"{form} cannot hold linear floats; write .tif or .exr. Received: {name!r}")
    if form == "EXR" and not picture.linear:
        raise UserError(
            f"OpenEXR holds linear floats; write .png or .tif. Received: {name!r} for "
            f"{picture.samples.dtype} pixels"
        )
    said = declared_transfer(picture.metadata) if picture.stored_type else None
    if said is not None and said.hdr and form != "EXR":
        kept = declared_transfer(written_metadata(form, picture))
        if kept is None or not kept.hdr:
            raise UserError(
                f"{form} cannot say that its values are {said.name}, an HDR curve; write PNG, or "
                f"OpenEXR for linear light. Received: {name!r}"
            )


def conversion_warnings(path: str | os.PathLike, picture: Picture) -> list[str]:
    """Lists what a file of this suffix cannot hold of a picture.

    Raises:
        UserError: As `check_storable`.
    """
    check_storable(path, picture)
    form = format_of(path)
    lost = ["alpha; the background is seen through it"]
    lost = lost if picture.has_alpha and form in OPAQUE else []
    if picture.extra is not None and form != "TIFF":
        lost.append(f"what is no color and no alpha, {picture.extra.shape[2]} of the channels")
    lost += filter(None, _lost_metadata(form, picture.metadata, picture.pixels.shape[2]).values())
    warnings = [f"{form} cannot hold {what}" for what in lost]
    bits = picture.bits or 8 * picture.file_type.itemsize
    if picture.file_type.kind == "u" and bits > _BITS.get(form, bits):
        warnings.append(f"{form} holds {_BITS[form]} of the {bits} bits")
    if picture.file_type == np.float64 and form == "EXR":
        warnings.append("OpenEXR holds 32 of the 64 bits")
    return warnings
