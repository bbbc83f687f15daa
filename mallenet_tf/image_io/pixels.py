"""Checks and converts pixels: bit depths, floats, gray and color."""

import numpy as np
import numpy.typing as npt
from PIL import Image

# A float image with values beyond this is scaled to 0..255 or 0..65535, not to [0, 1]: noise of
# sigma 75 on white exceeds it less than once in 10^11 values.
LARGEST_FLOAT = 3.0
ROWS = 256  # Converted or compared at a time.


def check_image(image: np.ndarray) -> None:
    """Raises ValueError unless an array is an image that can be denoised.

    Args:
        image: [H, W], [H, W, 1] or [H, W, 3] of at least one pixel: uint8, uint16, or floats in
            [0, 1], apart from noise.
    """
    if not isinstance(image, np.ndarray):
        raise ValueError(f"An image is a NumPy array. Received: {type(image).__name__}")
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (3,)):
        raise ValueError(
            "An image is [H, W], [H, W, 1] or [H, W, 3]: gray or color, one at a time. "
            f"Received: shape={image.shape}"
        )
    if image.size == 0:
        raise ValueError(f"The image holds no pixels. Received: shape={image.shape}")
    if image.dtype in (np.uint8, np.uint16):
        return
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(
            f"An image is uint8, uint16, or float in [0, 1]. Received: dtype={image.dtype}"
        )
    if not np.isfinite(image).all():
        raise ValueError("An image must be finite. Received: NaN or infinite values")
    low, high = float(image.min()), float(image.max())
    if high > LARGEST_FLOAT or low < 1.0 - LARGEST_FLOAT:
        raise ValueError(
            "A float image is in [0, 1], apart from noise; divide 8-bit values by 255. "
            f"Received: values from {low:g} to {high:g}"
        )


def as_float(image: np.ndarray) -> np.ndarray:
    """Converts an image to float32: integers to [0, 1], floats as they are."""
    if image.dtype.kind == "u":
        return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    return image.astype(np.float32)


def quantize(image: npt.ArrayLike) -> np.ndarray:
    """Clips to [0, 1], scales to 0..255 and rounds to the nearest integer (ties to even).

    Args:
        image: Float array of any shape, nominal range [0, 1].

    Returns:
        uint8 array of the same shape.

    Raises:
        ValueError: If the image is not floating point, or holds NaN (which has no 8-bit value).
    """
    values = np.asarray(image)
    if not np.issubdtype(values.dtype, np.floating):
        raise ValueError(f"quantize takes float images in [0, 1]. Received: dtype={values.dtype}")
    if np.isnan(values).any():
        raise ValueError("quantize cannot round NaN. Received: an image with NaN values")
    # At least float32: 255 * x in float16 would be rounded to a coarser step first.
    wide = values.astype(np.promote_types(values.dtype, np.float32), copy=False)
    return np.rint(np.clip(wide, 0.0, 1.0) * 255.0).astype(np.uint8)


def to_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Converts values in [0, 1] to uint8, uint16 or a type of floats."""
    if dtype == np.uint8:
        return quantize(values)
    if dtype == np.uint16:
        return np.rint(values * np.float32(65535)).astype(np.uint16)
    return values.astype(dtype)


def to_eight_bits(samples: np.ndarray) -> np.ndarray:
    """Converts uint16 of any shape to uint8, `round(v / 257)`; returns uint8 as it is."""
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype != np.uint16:
        raise ValueError(f"Only uint16 is converted to 8 bits. Received: dtype={samples.dtype}")
    narrow = np.empty(samples.shape, np.uint8)
    for top in range(0, len(samples), ROWS):
        wide = samples[top : top + ROWS].astype(np.uint32)
        narrow[top : top + ROWS] = (wide + 128) // 257
    return narrow


def to_gray(pixels: np.ndarray) -> np.ndarray:
    """Converts uint8 [H, W, 1 or 3] to [H, W, 1]: ITU-R 601 luma, as Pillow's "L"."""
    if pixels.shape[2] == 1:
        return pixels
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., None]


def to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Converts [H, W, 1 or 3] to [H, W, 3]; gray values are repeated."""
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


def is_gray(pixels: np.ndarray) -> bool:
    """Returns whether [H, W], [H, W, 1] or [H, W, 3] has one channel or three equal ones."""
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return True
    parts = (pixels[top : top + ROWS] for top in range(0, len(pixels), ROWS))
    return all((part[..., 1:] == part[..., :1]).all() for part in parts)


def white_of(kind: np.dtype) -> int:
    """Returns the value of white: the largest integer, or 1 for floats."""
    return int(np.iinfo(kind).max) if kind.kind == "u" else 1


def is_bilevel(pixels: np.ndarray) -> bool:
    """Returns whether values [H, W] or [H, W, C] are all black or white, and both occur.

    Scans of one bit, halftones and dithered images are.
    """
    white = white_of(pixels.dtype)
    parts = [pixels[top : top + ROWS] for top in range(0, len(pixels), ROWS)]
    if not all(((part == 0) | (part == white)).all() for part in parts):
        return False
    return any((part == 0).any() for part in parts) and any((part != 0).any() for part in parts)
