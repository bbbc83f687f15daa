"""Reading and writing the 8-bit image files that the command line denoises.

What would be lost is refused by name rather than dropped: an alpha channel, more than 8 bits, CMYK,
several frames. The picture is turned as its EXIF orientation says; other metadata is not copied.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps, TiffImagePlugin, UnidentifiedImageError

from mallenet_tf.errors import UserError
from mallenet_tf.files import atomic_path

# How each kind is saved: without loss where the format can, and JPEG at a quality whose own error
# stays well below what a denoiser leaves.
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG"},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".bmp": {"format": "BMP"},
    ".webp": {"format": "WEBP", "lossless": True},
    ".tif": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
    ".tiff": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
}
SUFFIXES = tuple(SAVE_OPTIONS)
_GRAY_MODES = ("1", "L")
_COLOUR_MODES = ("RGB", "P", "YCbCr")


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Reads a gray or colour image of 8 bits, upright.

    Args:
        path: JPEG, PNG, BMP, WebP or TIFF.

    Returns:
        uint8 [H, W, 1] for gray files, [H, W, 3] for colour ones.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If the file is no image or damaged, or holds what would be lost.
    """
    try:
        with Image.open(path) as image:
            _refuse_losses(image, path)
            image.load()
            upright = ImageOps.exif_transpose(image)
            converted = upright.convert("L" if upright.mode in _GRAY_MODES else "RGB")
            pixels = np.array(converted)
    except (FileNotFoundError, IsADirectoryError, PermissionError, UserError):
        raise
    except Exception as error:  # Pillow's decoders raise a dozen unrelated types
        if os.path.getsize(path) == 0:
            reason = "the file is empty"
        elif isinstance(error, UnidentifiedImageError):
            reason = "its format is not known"
        else:
            reason = str(error) or repr(error)
        raise UserError(
            f"Not an image that can be read: {reason}. Received: {os.fspath(path)!r}"
        ) from error
    return pixels.reshape(*pixels.shape[:2], -1)


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes an 8-bit image; the suffix chooses the format. A reader never sees half a file.

    Args:
        path: Where to; the folder is created.
        image: uint8 [H, W], [H, W, 1] or [H, W, 3].

    Raises:
        UserError: If the suffix is none of `SUFFIXES` or the format cannot hold the size.
        ValueError: If the array is not such an image.
    """
    path = Path(path)
    check_suffix(path)
    if (
        image.dtype != np.uint8
        or image.ndim not in (2, 3)
        or image.shape[2:] not in ((), (1,), (3,))
    ):
        raise ValueError(
            "write_image takes uint8 [H, W], [H, W, 1] or [H, W, 3]. "
            f"Received: dtype={image.dtype}, shape={image.shape}"
        )
    picture = Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image)
    options = SAVE_OPTIONS[path.suffix.lower()]
    if options["format"] in ("JPEG", "WEBP") and max(image.shape[:2]) > _LIMITS[options["format"]]:
        raise UserError(
            f"{options['format']} holds at most {_LIMITS[options['format']]} pixels a side; write "
            f"PNG or TIFF. Received: {image.shape[1]} x {image.shape[0]} for {str(path)!r}"
        )
    with atomic_path(path) as temporary:
        picture.save(temporary, **options)


_LIMITS = {"JPEG": 65535, "WEBP": 16383}


def check_suffix(path: Path) -> None:
    """Raises UserError unless the suffix names a format that can be written."""
    if path.suffix.lower() not in SAVE_OPTIONS:
        raise UserError(
            f"The output's suffix must be one of {' '.join(SUFFIXES)}. Received: {str(path)!r}"
        )


def _refuse_losses(image: ImageFile.ImageFile, path: str | os.PathLike) -> None:
    loss = None
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        loss = f"holds {frames} frames; save the one to denoise as its own file"
    elif image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        loss = "has an alpha channel, which is not supported yet; flatten it first"
    elif _bits_per_value(image) > 8:
        loss = "has more than 8 bits per value, which is not supported yet; save it as 8 bits"
    elif image.mode not in (*_GRAY_MODES, *_COLOUR_MODES):
        loss = f"is in colour mode {image.mode}, which is not supported; save it as RGB"
    if loss:
        raise UserError(f"The image {loss}. Received: {os.fspath(path)!r}")


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
