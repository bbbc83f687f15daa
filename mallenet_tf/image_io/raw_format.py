"""Develops camera raw files by rawpy, which is LibRaw."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageCms

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.formats import RAW_SUFFIXES, is_raw_file
from mallenet_tf.image_io.picture import Limits, Metadata, Picture
from mallenet_tf.image_io.raw_exif import read_raw_exif
from mallenet_tf.image_io.sniff import content_suffix

_BYTES_PER_PIXEL = 24  # LibRaw's and the result; measured: 17 for integers, 21 for floats.
_SRGB_GAMMA = (2.4, 12.92)
_LIBRAW_THRESHOLD = 0.75
_SUBFILE_TYPE, _SUB_DIRECTORIES, _DNG_VERSION = 254, 330, 50706


def is_raw(path: Path) -> bool:
    """Returns whether a file holds camera raw, by its suffix or its content.

    Most raw formats are TIFF files: DNG says so in a tag, others have a small picture first and
    further directories.
    """
    if is_raw_file(path):
        return True
    suffix = content_suffix(path)
    if suffix != ".tif":
        return suffix in RAW_SUFFIXES
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        first: Any = tiff.pages[0]
        tags = first.tags
        reduced = tags.valueof(_SUBFILE_TYPE, 0) & 1
        return _DNG_VERSION in tags or bool(reduced and _SUB_DIRECTORIES in tags)


def read_raw(path: Path, limits: Limits, linear: bool) -> Picture:
    """Develops a camera raw file with the camera's white balance, in the primaries of sRGB.

    White is what saturates the sensor: nothing is brightened.

    Args:
        path: The file.
        limits: How much may be decoded.
        linear: Return linear light, float32, instead of uint16 sRGB.

    Raises:
        UserError: If it is larger than the limits, or rawpy is not installed.
        ValueError: What LibRaw says of damaged files.
    """
    with _opened(path) as raw:
        height, width = _upright_size(raw)
        limits.check((width, height), _BYTES_PER_PIXEL * width * height)
        warnings = []
        if raw.num_colors > 1 and raw.camera_whitebalance[0] <= 0:
            warnings.append("the file has no white balance of the camera; daylight's is used")
        developed = raw.postprocess(
            use_camera_wb=True,
            no_auto_bright=True,
            # LibRaw guesses white from the pixels unless a DNG says it, for cameras that saturate
            # below the level that it knows; highlights would turn magenta.
            adjust_maximum_thr=0.0 if path.suffix.lower() == ".dng" else _LIBRAW_THRESHOLD,
            output_bps=16,
            gamma=(1, 1) if linear else _SRGB_GAMMA,
        )
    exif, lost = read_raw_exif(path)
    if linear:
        samples = developed.astype(np.float32)
        samples /= 65535
        return Picture(samples, metadata=Metadata(exif=exif), warnings=warnings + lost)
    profile = None  # A monochrome camera's picture is gray.
    if developed.shape[2] == 3:
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return Picture(developed.copy(), metadata=Metadata(profile, exif), warnings=warnings + lost)


def raw_size(path: Path) -> tuple[int, int]:
    """Reads the height and width of the developed picture from the file's header.

    Raises:
        UserError, ValueError: As `read_raw`.
    """
    with _opened(path) as raw:
        return _upright_size(raw)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Opens a file by rawpy; its pixels are decoded when they are needed."""
    try:
        import rawpy
    except ModuleNotFoundError as error:
        raise UserError(
            "needs rawpy, which is not installed: pip install 'rawpy>=0.24', or "
            "pip install 'mallenet-tf[raw]'"
        ) from error
    try:
        with rawpy.imread(str(path)) as raw:
            yield raw
    except rawpy.LibRawError as error:
        text = error.args[0]
        raise ValueError(text.decode() if isinstance(text, bytes) else str(text)) from error


def _upright_size(raw: Any) -> tuple[int, int]:
    sizes = raw.sizes
    turned = sizes.flip & 4  # LibRaw's bit for exchanged axes.
    return (sizes.iwidth, sizes.iheight) if turned else (sizes.iheight, sizes.iwidth)
