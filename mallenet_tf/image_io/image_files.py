"""Reading and writing image files without losing what they hold, or saying what is lost.

The picture is turned upright as its EXIF orientation says, and that orientation is dropped. Kept
are the bit depth, alpha, the colour profile, EXIF, XMP and the resolution, as far as the output's
format has a place for them. Colours are multiplied by alpha, or divided, as that format means it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.files import atomic_path
from mallenet_tf.image_io.picture import Picture, with_alpha_as
from mallenet_tf.image_io.pillow_files import (
    exif_is_too_long,
    read_pillow,
    write_pillow,
    xmp_is_too_long,
)

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
SUFFIXES = tuple(FORMATS)
LONGEST_SIDES = {"JPEG": 65500, "WEBP": 16383}  # libjpeg stops before JPEG does
EXR_MAGIC, TIFF_MAGICS = b"v/1\x01", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_picture(path: str | os.PathLike, most_bytes: int | None = None) -> Picture:
    """Reads an image.

    Args:
        path: JPEG, PNG, BMP, WebP, TIFF or OpenEXR.
        most_bytes: Memory that decoding may take; None for no limit.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If the file is no image or damaged, is too large, or holds what the program
            cannot denoise without losing something.
    """
    path = Path(path)
    try:
        return _read(path, most_bytes)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except UserError as error:
        raise UserError(f"The image {error}. Received: {str(path)!r}") from error
    except Exception as error:  # the decoders raise a dozen unrelated types
        if path.stat().st_size == 0:
            reason = "the file is empty"
        elif isinstance(error, UnidentifiedImageError):
            reason = "its format is not known"
        else:
            reason = str(error) or repr(error)
        raise UserError(
            f"Not an image that can be read: {reason}. Received: {str(path)!r}"
        ) from error


def _read(path: Path, most_bytes: int | None) -> Picture:
    from mallenet_tf.image_io import deep_files

    with path.open("rb") as file:
        magic = file.read(4)
    if magic == EXR_MAGIC:
        return deep_files.read_exr(path, most_bytes)
    with _any_number_of_pixels():
        try:
            with Image.open(path) as image:
                if image.format == "TIFF" and getattr(image, "is_animated", False):
                    _turn_to(image, deep_files.page_number(path))
                if _bits_per_value(image) <= 8:
                    return read_pillow(image, most_bytes)
                if image.format == "PNG":
                    return deep_files.read_png(image, path, most_bytes)
                if image.format != "TIFF":
                    raise UserError(f"is in colour mode {image.mode}, which is not supported")
        except (UnidentifiedImageError, SyntaxError):
            if magic not in TIFF_MAGICS:  # Pillow does not know every kind of TIFF
                raise
    return deep_files.read_tiff(path, most_bytes)


def _turn_to(image: ImageFile.ImageFile, page: int) -> None:
    if page != image.tell():
        image.info.clear()  # what the first page says, and this one may not
        image.seek(page)


@contextmanager
def _any_number_of_pixels() -> Iterator[None]:
    """Lifts Pillow's own limit; `check_size` sets ours, once the header is known."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _bits_per_value(image: ImageFile.ImageFile) -> int:
    """Bits in the file; Pillow opens 16-bit colour as plain RGB, so its mode does not tell."""
    if image.mode.startswith("I") or image.mode == "F":
        return 16
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
        return max(bits) if isinstance(bits, tuple) else int(bits)
    raw_modes = [
        tile[3] if isinstance(tile[3], str) else (tile[3] or ("",))[0] for tile in image.tile
    ]
    return 16 if any(";16" in str(raw) for raw in raw_modes) else 8


def write_picture(path: str | os.PathLike, picture: Picture) -> None:
    """Writes an image; the suffix chooses the format. A reader never sees half a file.

    Args:
        path: Where to; the folder is created.
        picture: What to write. What the format cannot hold is left out; `losses` says what.

    Raises:
        UserError: As `losses`.
    """
    path = Path(path)
    losses(path, picture)
    form = FORMATS[path.suffix.lower()]
    if form != "TIFF":  # which says what kind of alpha it holds
        picture = with_alpha_as(picture, premultiplied=form == "EXR")
    with atomic_path(path) as temporary:
        if form == "EXR":
            from mallenet_tf.image_io.deep_files import write_exr

            write_exr(temporary, picture)
        elif form == "TIFF":
            from mallenet_tf.image_io.deep_files import write_tiff

            write_tiff(temporary, picture)
        elif picture.samples.dtype == np.uint8:
            write_pillow(temporary, form, picture)
        elif form == "PNG":
            from mallenet_tf.image_io.deep_files import write_png

            write_png(temporary, picture)
        else:
            write_pillow(temporary, form, _to_eight_bits(picture))


def losses(path: str | os.PathLike, picture: Picture) -> list[str]:
    """What a file of this suffix cannot hold of a picture, in words.

    Raises:
        UserError: If the suffix is none of `SUFFIXES`, or the format cannot hold the picture.
    """
    path = Path(path)
    check_suffix(path)
    form = FORMATS[path.suffix.lower()]
    height, width, values = picture.samples.shape
    if max(height, width) > LONGEST_SIDES.get(form, max(height, width)):
        raise UserError(
            f"{form} holds at most {LONGEST_SIDES[form]} pixels a side; write PNG or TIFF. "
            f"Received: {width} x {height} for {str(path)!r}"
        )
    if picture.linear and form not in ("TIFF", "EXR"):
        raise UserError(
            f"{form} cannot hold linear floats; write .tif or .exr. Received: {str(path)!r}"
        )
    if form == "EXR" and not picture.linear:
        raise UserError(
            f"OpenEXR holds linear floats; write .png or .tif. Received: {str(path)!r} for "
            f"{picture.samples.dtype} pixels"
        )
    metadata = picture.metadata
    lost = {
        "alpha": picture.has_alpha and form in ("JPEG", "BMP"),
        "the colour profile": metadata.icc and form in ("BMP", "EXR"),
        "EXIF": metadata.exif and form in ("BMP", "EXR"),
        "XMP": metadata.xmp and form in ("BMP", "EXR"),
        "EXIF of more than 64 KB": exif_is_too_long(form, metadata),
        "XMP of more than 64 KB": xmp_is_too_long(form, metadata),
        "the resolution": metadata.dpi and form in ("WEBP", "EXR"),
        "OpenEXR's header and other channels": metadata.exr and form != "EXR",
    }
    notes = [f"{form} cannot hold {what}" for what, is_lost in lost.items() if is_lost]
    if picture.samples.dtype == np.uint16 and form not in ("PNG", "TIFF"):
        notes.append(f"{form} holds 8 of the 16 bits")
    if picture.samples.dtype == np.float64 and form == "EXR":
        notes.append("OpenEXR holds 32 of the 64 bits")
    return notes


def _to_eight_bits(picture: Picture) -> Picture:
    narrow = np.empty(picture.samples.shape, np.uint8)
    for row, wide in zip(narrow, picture.samples, strict=True):
        row[...] = (wide.astype(np.uint32) + 128) // 257
    return Picture(narrow, picture.premultiplied, picture.metadata)


def read_image(path: str | os.PathLike) -> np.ndarray:
    """The gray or RGB pixels of an image file, [H, W, 1] or [H, W, 3]; errors as `read_picture`."""
    return read_picture(path).pixels


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes uint8 or uint16 [H, W], [H, W, 1] or [H, W, 3], without metadata.

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


def check_suffix(path: Path) -> None:
    """Raises UserError unless the suffix names a format that can be written."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(
            f"The output's suffix must be one of {' '.join(SUFFIXES)}. Received: {str(path)!r}"
        )
