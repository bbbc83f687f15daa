"""Pixel types: which arrays are images, conversion to float and back, and the gray rule."""

import numpy as np
import numpy.typing as npt

# A float image whose values go beyond this is scaled to 0..255 (or 0..65535), not to [0, 1]: noise
# of sigma 75 on white goes as far less than once in 10^11 values.
LARGEST_FLOAT = 3.0
ROWS = 256  # compared at a time


def check_image(image: np.ndarray) -> None:
    """Raises ValueError unless `image` is one that a `Denoiser` takes; see its `__call__`."""
    if not isinstance(image, np.ndarray):
        raise ValueError(f"An image is a NumPy array. Received: {type(image).__name__}")
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (3,)):
        raise ValueError(
            "An image is [H, W], [H, W, 1] or [H, W, 3]: gray or colour, one at a time. "
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
    """Integers from 0 to their largest, or floats in [0, 1], to float32 in [0, 1]."""
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
    """Values in [0, 1] to uint8, uint16 or a type of floats."""
    if dtype == np.uint8:
        return quantize(values)
    if dtype == np.uint16:
        return np.rint(values * np.float32(65535)).astype(np.uint16)
    return values.astype(dtype)


def is_gray(pixels: np.ndarray) -> bool:
    """Whether [H, W], [H, W, 1] or [H, W, 3] shows no colour: three equal channels show none."""
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return True
    parts = (pixels[top : top + ROWS] for top in range(0, len(pixels), ROWS))
    return all((part[..., 1:] == part[..., :1]).all() for part in parts)
