"""Writes image files; a reader never sees half of one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from mallenet_tf.common.files import atomic_path
from mallenet_tf.image_io.color import from_linear, to_srgb
from mallenet_tf.image_io.exif import renew_thumbnail
from mallenet_tf.image_io.formats import (
    OPAQUE,
    WITHOUT_PROFILE,
    check_storable,
    format_of,
    written_metadata,
)
from mallenet_tf.image_io.picture import WHITE, Picture, convert_alpha, place_on
from mallenet_tf.image_io.pillow_formats import write_pillow
from mallenet_tf.image_io.pixels import to_eight_bits


def write_picture(
    path: str | os.PathLike, picture: Picture, background: tuple[int, int, int] = WHITE
) -> None:
    """Writes an image with its metadata; the suffix chooses the format.

    Colors are multiplied by alpha, or divided, as the format means them.

    Args:
        path: The file; its folder is created.
        picture: What to write; what the format cannot hold is left out, see
            `formats.conversion_warnings`.
        background: Red, green and blue, 0 to 255, behind a transparent picture in a format without
            transparency.

    Raises:
        UserError: As `formats.check_storable`.
    """
    from mallenet_tf.image_io import heif, jxl, openexr, png, tiff

    form = format_of(path)
    picture = _as_stored(path, form, picture, background)
    with atomic_path(path) as temporary:
        if form == "EXR":
            openexr.write_exr(temporary, picture)
        elif form == "TIFF":
            tiff.write_tiff(temporary, [picture])
        elif form == "PNG":
            png.write_png(temporary, picture)
        elif form == "HEIF":
            heif.write_heif(temporary, picture)
        elif form == "JXL":
            jxl.write_jxl(temporary, picture)
        else:
            narrow = replace(picture, samples=to_eight_bits(picture.samples))
            write_pillow(temporary, form, narrow)


def write_pages(path: str | os.PathLike, pictures: Iterable[Picture]) -> None:
    """Writes several images as the pages of a TIFF file, one at a time.

    Raises:
        UserError: As `write_picture`.
    """
    from mallenet_tf.image_io import tiff

    with atomic_path(path) as temporary:
        stored = (_as_stored(path, "TIFF", picture, WHITE) for picture in pictures)
        tiff.write_tiff(temporary, stored)


def _as_stored(
    path: str | os.PathLike, form: str, picture: Picture, background: tuple[int, int, int]
) -> Picture:
    """Converts a picture to what a file of a format stores of it."""
    check_storable(path, picture)
    metadata = written_metadata(form, picture)
    if form == "EXR":
        picture = replace(picture, stored_type=None)
    if form in WITHOUT_PROFILE:
        picture = to_srgb(picture)
    picture = from_linear(picture, metadata)
    if form != "TIFF":  # A TIFF file says which kind of alpha it holds.
        picture = convert_alpha(picture, premultiplied=form == "EXR")
    if form in OPAQUE:
        picture = place_on(picture, background)
    if metadata.exif and picture.samples.dtype.kind == "u":
        shown = to_eight_bits(picture.pixels[:: _step(picture), :: _step(picture)])
        exif = renew_thumbnail(metadata.exif, np.ascontiguousarray(shown))
        metadata = replace(metadata, exif=exif)
    return replace(picture, metadata=metadata)


def _step(picture: Picture) -> int:
    """Returns how many pixels a thumbnail leaves out at first."""
    return max(1, max(picture.samples.shape[:2]) // 1024)


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes pixels without metadata.

    Args:
        path: The file; the suffix chooses the format, the folder is created.
        image: uint8 or uint16 [H, W], [H, W, 1] or [H, W, 3].

    Raises:
        ValueError: If the array is not such an image.
        UserError: As `write_picture`.
    """
    if (
        image.dtype not in (np.uint8, np.uint16)
        or image.ndim not in (2, 3)
        or image.shape[2:] not in ((), (1,), (3,))
    ):
        raise ValueError(
            "write_image takes uint8 or uint16 [H, W], [H, W, 1] or [H, W, 3]. "
            f"Received: dtype={image.dtype}, shape={image.shape}"
        )
    write_picture(path, Picture(image if image.ndim == 3 else image[..., None]))
