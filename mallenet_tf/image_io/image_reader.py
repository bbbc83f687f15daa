"""Reads image files, for training and for denoising alike.

Pixels are upright: the orientation in EXIF or XMP is applied and dropped.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import avif, color, heif, jpeg, jxl, openexr, png, raw_format, tiff
from mallenet_tf.image_io.exif import ORIENTATION
from mallenet_tf.image_io.file_search import PathLike, list_images, unique_names
from mallenet_tf.image_io.picture import MAX_PIXELS, Limits, Metadata, Picture, convert_alpha
from mallenet_tf.image_io.pillow_formats import bits_per_value, needs_tifffile, read_pillow
from mallenet_tf.image_io.pixels import to_eight_bits, to_gray, to_rgb
from mallenet_tf.image_io.sniff import content_suffix
from mallenet_tf.image_io.tiff_pages import only_page, page_numbers
from mallenet_tf.image_io.xmp import drop_announced

# Formats that Pillow does not read, by the suffixes that their contents have.
_READERS = {".exr": openexr.read_exr, ".heic": heif.read_heif, ".jxl": jxl.read_jxl}
# What Pillow leaves out, by its names of formats; MPO is a JPEG file of several pictures.
_ADD_METADATA = {"JPEG": jpeg.add_segments, "MPO": jpeg.add_segments}


class UnreadableImageError(UserError, ValueError):
    """A file that exists but holds no image that can be read."""


def read_picture(
    path: PathLike,
    max_bytes: int | None = None,
    linear_raw: bool = False,
    max_pixels: int = MAX_PIXELS,
    page: int | None = None,
) -> Picture:
    """Reads an image with its metadata.

    Args:
        path: JPEG, PNG, BMP, WebP, TIFF, OpenEXR or, by their suffixes, camera raw files.
        max_bytes: Memory that decoding may take; None for no limit.
        linear_raw: Develop a raw file to linear light, float32, instead of uint16 sRGB.
        max_pixels: More pixels are taken for a decompression bomb.
        page: Of a TIFF file, one of `list_pages`; None for the only one.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableImageError: If the file is no image or damaged, is too large, holds what cannot be
            read without losing something, or is a raw file and rawpy is not installed.
    """
    return _read(Path(path), Limits(max_bytes, max_pixels), linear_raw=linear_raw, page=page)


def list_pages(path: PathLike) -> list[int]:
    """Returns the numbers of the pages that `read_picture` reads: of a TIFF file all but copies.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableImageError: If it is a damaged TIFF file.
    """
    path = Path(path)
    with _naming(path):
        if content_suffix(path) != ".tif" or raw_format.is_raw(path):
            return [0]
        return page_numbers(path)


def _read(
    path: Path,
    limits: Limits,
    prefer_gray: bool = False,
    linear_raw: bool = False,
    page: int | None = None,
) -> Picture:
    """Reads an image; floats are linear light, integers what a display shows."""
    with _naming(path):
        if raw_format.is_raw(path):  # Pillow would open the preview in it.
            return raw_format.read_raw(path, limits, linear_raw)
        picture = drop_announced(_decode(path, limits, prefer_gray, page))
        return color.to_linear(picture, limits)


def _decode(path: Path, limits: Limits, prefer_gray: bool, page: int | None) -> Picture:
    suffix = content_suffix(path)
    if suffix in _READERS:
        return _READERS[suffix](path, limits)
    with _opened(path, page) as image:
        if image is None or (image.format == "TIFF" and needs_tifffile(image)):
            return tiff.read_tiff(path, limits, page)
        deep = bits_per_value(image) > 8
        if image.format == "PNG":
            read = png.read_png(image, path, limits) if deep else None
            return png.add_chunks(read or read_pillow(image, limits, prefer_gray), path)
        if not deep:
            orientation = image.getexif().get(ORIENTATION, 1)
            picture = _read_shallow(image, path, limits, prefer_gray)
            if image.format == "AVIF":
                return avif.add_properties(picture, path, orientation)
            if image.format == "TIFF":
                return tiff.add_tags(picture, path, page)
            add = _ADD_METADATA.get(image.format or "")
            return picture if add is None else add(picture, path)
        raise UserError(f"is in color mode {image.mode}, which is not supported")


def _read_shallow(
    image: ImageFile.ImageFile, path: Path, limits: Limits, prefer_gray: bool
) -> Picture:
    """Reads 8 bits a value by Pillow, and a JPEG file that lacks nothing but its end marker too."""
    try:
        return read_pillow(image, limits, prefer_gray)
    except OSError:
        ended = jpeg.add_end(path.read_bytes()) if image.format in ("JPEG", "MPO") else None
        if ended is None:
            raise
    with Image.open(io.BytesIO(ended)) as whole:
        picture = read_pillow(whole, limits, prefer_gray)
    picture.warnings.append("the file lacks its end marker; the picture is whole")
    return picture


def read_image(path: PathLike) -> np.ndarray:
    """Reads the gray or RGB pixels of an image, [H, W, 1] or [H, W, 3]; see `read_picture`."""
    return read_picture(path).pixels


def decode_image(path: PathLike, channels: int = 3) -> np.ndarray:
    """Reads the pixels of an image as training and evaluation take them.

    They are the pixels of `read_picture`, without alpha: 16 bits become 8 by `round(v / 257)`,
    color becomes gray by ITU-R 601 luma, gray values are repeated for RGB.

    Args:
        path: JPEG, PNG, BMP, WebP, TIFF of integers, or camera raw.
        channels: 3 for RGB, 1 for gray.

    Returns:
        uint8 [height, width, channels].

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableImageError: As `read_picture`, and for floats.
        ValueError: If another number of channels is asked for.
    """
    if channels not in (1, 3):
        raise ValueError(f"Images have 1 or 3 channels. Received: channels={channels}")
    picture = _read(Path(path), Limits(), prefer_gray=channels == 1)
    if picture.file_type.kind == "f":
        raise UnreadableImageError(
            "Not a readable image: floating-point pixels have no agreed range; save it as 8 or 16 "
            f"bits. Received: {os.fspath(path)!r}"
        )
    if color.is_hdr(picture.metadata):
        raise UnreadableImageError(
            "Not a readable image: its HDR curve, PQ or HLG, is none that networks are trained on. "
            f"Received: {os.fspath(path)!r}"
        )
    picture = color.from_linear(picture, Metadata())  # To sRGB, unless it is so stored.
    pixels = to_eight_bits(convert_alpha(picture, premultiplied=False).pixels)
    return np.ascontiguousarray(to_gray(pixels) if channels == 1 else to_rgb(pixels))


def image_size(path: PathLike) -> tuple[int, int]:
    """Reads the height and width of an upright image, from the file's header where it can.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableImageError: If the header cannot be read.
    """
    path = Path(path)
    with _naming(path):
        if raw_format.is_raw(path):
            return raw_format.raw_size(path)
    if content_suffix(path) in _READERS:
        height, width, _ = read_picture(path).samples.shape
        return height, width
    with _naming(path), _opened(path) as image:
        if image is None:
            height, width, _ = read_picture(path).samples.shape
            return height, width
        if image.format == "PNG" and not png.has_trailing_metadata(path):
            exif = Image.Image.getexif(image)  # PngImageFile's own method decodes the pixels.
        else:
            exif = image.getexif()
        turned = exif.get(ORIENTATION, 1) in (5, 6, 7, 8)
        return (image.width, image.height) if turned else (image.height, image.width)


def load_images(
    patterns: PathLike | Iterable[PathLike], channels: int = 3
) -> Iterator[tuple[str, np.ndarray]]:
    """Decodes images in natural order, one at a time; the files are found at once.

    Args:
        patterns: As in `file_search.list_images`.
        channels: 3 for RGB, 1 for gray.

    Yields:
        (name, uint8 [height, width, channels]). The name is the file's name; where two files share
        one, all names are paths relative to their common folder.

    Raises:
        FileNotFoundError: As `file_search.list_images`.
        UnreadableImageError: As `decode_image`.
    """
    paths = list_images(patterns)
    names = unique_names(paths)
    return ((name, decode_image(path, channels)) for name, path in zip(names, paths, strict=True))


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turns what decoders raise into `UnreadableImageError`, which names the file."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, PermissionError, UnreadableImageError):
        raise
    except UserError as error:
        raise UnreadableImageError(f"The image {error}. Received: {str(path)!r}") from error
    except Exception as error:  # The decoders raise a dozen unrelated types.
        if path.stat().st_size == 0:
            reason = "the file is empty"
        elif isinstance(error, UnidentifiedImageError):
            reason = "its format is not known"
        else:
            reason = str(error) or repr(error)
        raise UnreadableImageError(
            f"Not a readable image: {reason}. Received: {str(path)!r}"
        ) from error


@contextlib.contextmanager
def _opened(path: Path, page: int | None = None) -> Iterator[ImageFile.ImageFile | None]:
    """Opens an image by Pillow, at the page to read; None for OpenEXR and TIFFs that it lacks."""
    with _no_pixel_limit, contextlib.ExitStack() as stack:
        try:
            image = stack.enter_context(Image.open(path))
            if image.format == "TIFF" and getattr(image, "is_animated", False):
                _turn_to(image, only_page(path) if page is None else page)
        except (UnidentifiedImageError, SyntaxError):
            if content_suffix(path) != ".tif":
                raise
            image = None
        yield image


def _turn_to(image: ImageFile.ImageFile, page: int) -> None:
    if page != image.tell():
        image.info.clear()  # Of the first page; this one may lack it.
        image.seek(page)


class _PixelLimit:
    """Lifts Pillow's own limit on pixels while any thread is in the block.

    `Limits` sets ours. Pillow has one limit for all threads.
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
