"""Writes image files; a reader never sees half of one."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np

from mallenet_tf.common.files import atomic_path
from mallenet_tf.image_io.formats import check_storable, format_of, storable_metadata
from mallenet_tf.image_io.picture import Picture, convert_alpha
from mallenet_tf.image_io.pillow_formats import write_pillow
from mallenet_tf.image_io.pixels import to_eight_bits


def write_picture(path: str | os.PathLike, picture: Picture) -> None:
    """Writes an image with its metadata; the suffix chooses the format.

    Colors are multiplied by alpha, or divided, as the format means them.

    Args:
        path: The file; its folder is created.
        picture: What to write; what the format cannot hold is left out, see
            `formats.conversion_warnings`.

    Raises:
        UserError: As `formats.check_storable`.
    """
    from mallenet_tf.image_io import openexr, png, tiff

    check_storable(path, picture)
    form = format_of(path)
    if form != "TIFF":  # A TIFF file says which kind of alpha it holds.
        picture = convert_alpha(picture, premultiplied=form == "EXR")
    picture = replace(picture, metadata=storable_metadata(form, picture.metadata))
    with atomic_path(path) as temporary:
        if form == "EXR":
            openexr.write_exr(temporary, picture)
        elif form == "TIFF":
            tiff.write_tiff(temporary, picture)
        elif form == "PNG" and picture.samples.dtype == np.uint16:
            png.write_png(temporary, picture)
        else:
            narrow = replace(picture, samples=to_eight_bits(picture.samples))
            write_pillow(temporary, form, narrow)


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
