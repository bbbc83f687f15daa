"""Reads image files, for training and for denoising alike.

Pixels are upright: the EXIF orientation is applied and dropped.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.picture import Picture
from mallenet_tf.image_io.pillow_formats import bits_per_value, read_pillow


def read_picture(path: str | os.PathLike, max_bytes: int | None = None) -> Picture:
    """Reads an image with its metadata.

    Args:
        path: JPEG, PNG, BMP, WebP, TIFF or OpenEXR.
        max_bytes: Memory that decoding may take; None for no limit.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If the file is no image or damaged, is too large, or holds what the program
            cannot denoise without losing something.
    """
    path = Path(path)
    try:
        return _read(path, max_bytes)
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


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Reads the gray or RGB pixels of an image, [H, W, 1] or [H, W, 3]; see `read_picture`."""
    return read_picture(path).pixels


def _read(path: Path, max_bytes: int | None) -> Picture:
    from mallenet_tf.image_io import openexr, png, tiff

    with path.open("rb") as file:
        magic = file.read(4)
    if magic == openexr.MAGIC:
        return openexr.read_exr(path, max_bytes)
    with _no_pixel_limit:
        try:
            with Image.open(path) as image:
                if image.format == "TIFF" and getattr(image, "is_animated", False):
                    _turn_to(image, tiff.page_number(path))
                if bits_per_value(image) <= 8:
                    return read_pillow(image, max_bytes)
                if image.format == "PNG":
                    return png.read_png(image, path, max_bytes)
                if image.format != "TIFF":
                    raise UserError(f"is in color mode {image.mode}, which is not supported")
        except (UnidentifiedImageError, SyntaxError):
            if magic not in tiff.MAGICS:  # Pillow does not know every kind of TIFF
                raise
    return tiff.read_tiff(path, max_bytes)


def _turn_to(image: ImageFile.ImageFile, page: int) -> None:
    if page != image.tell():
        image.info.clear()  # what the first page says, and this one may not
        image.seek(page)


class _PixelLimit:
    """Lifts Pillow's own limit on pixels while any thread is in the block.

    `check_size` sets ours. Pillow has one limit for all threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._limit: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._threads:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._threads += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._threads -= 1
            if not self._threads:
                Image.MAX_IMAGE_PIXELS = self._limit


_no_pixel_limit = _PixelLimit()
