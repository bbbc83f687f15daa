"""Camera raw files that tests make: DNG files of a camera whose colors are those of sRGB."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import TiffImagePlugin

BLACK, WHITE = 512, 16383
COLORS = ((0.1, 0.2, 0.3), (0.5, 0.4, 0.1), (0.75, 0.75, 0.75), (0.02, 0.02, 0.02))
NEUTRAL = (0.5, 1.0, 0.625)  # What the sensor sees of white; the camera's white balance undoes it.
_BYTE, _SHORT, _LONG, _RATIONAL, _SIGNED_RATIONAL = 1, 3, 4, 5, 10
_COLOR_FILTER_ARRAY = 32803
_D65 = 21
# XYZ to linear sRGB, IEC 61966-2-1.
_COLOR_MATRIX = (
    *(3.2404542, -1.5371385, -0.4985314),
    *(-0.9692660, 1.8760108, 0.0415560),
    *(0.0556434, -0.2040259, 1.0572252),
)


def stripes() -> np.ndarray:
    """A scene of vertical stripes, linear light [96, 128, 3]."""
    return np.repeat(np.array([COLORS]), 32, axis=1).repeat(96, axis=0)


def patches(developed: np.ndarray, mean: bool = True) -> np.ndarray:
    """The insides of the stripes [4, 64, 16, 3], or their means [4, 3]."""
    insides = np.stack([developed[16:80, left + 8 : left + 24] for left in range(0, 128, 32)])
    return insides.mean((1, 2)) if mean else insides


def mosaic(linear: np.ndarray, noise: float = 0.0) -> np.ndarray:
    """Takes a picture with an RGGB sensor of 14 bits.

    Args:
        linear: Linear light [H, W, 3], both sides even; 1 is white.
        noise: Standard deviation of what the sensor adds, of the same range.

    Returns:
        uint16 [H, W].
    """
    seen = linear * NEUTRAL
    raw = seen[..., 1].copy()
    raw[::2, ::2], raw[1::2, 1::2] = seen[::2, ::2, 0], seen[1::2, 1::2, 2]
    raw += np.random.default_rng(0).normal(0, noise, raw.shape)
    return np.clip(np.rint(BLACK + raw * (WHITE - BLACK)), 0, 65535).astype(np.uint16)


def write_dng(
    path: Path,
    raw: np.ndarray,
    orientation: int = 1,
    neutral: tuple[float, ...] | None = NEUTRAL,
    tags: dict[int, Any] | None = None,
) -> None:
    """Writes a mosaic as an uncompressed DNG file with EXIF.

    Args:
        path: The file; its folder is created.
        raw: As `mosaic` returns it.
        orientation: EXIF's number.
        neutral: The camera's white balance; None for a file without one.
        tags: Further tags.
    """
    directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    height, width = raw.shape

    def add(tag, kind, value):
        directory.tagtype[tag] = kind
        directory[tag] = value

    add(254, _LONG, 0)  # The full image.
    add(256, _LONG, width)
    add(257, _LONG, height)
    add(258, _SHORT, 16)
    add(259, _SHORT, 1)  # Uncompressed.
    add(262, _SHORT, _COLOR_FILTER_ARRAY)
    directory[271], directory[272] = "Maker", "Camera"
    add(273, _LONG, 0)  # Pillow adds the length of the directory.
    add(274, _SHORT, orientation)
    add(277, _SHORT, 1)
    add(278, _LONG, height)
    add(279, _LONG, raw.nbytes)
    directory[315] = "me"
    add(33421, _SHORT, (2, 2))
    add(33422, _BYTE, bytes((0, 1, 1, 2)))
    directory[0x8769] = {0x829A: 0.01, 0x8827: 6400, 0x927C: b"maker's own"}
    directory[0x8825] = {1: "N"}
    add(50706, _BYTE, bytes((1, 4, 0, 0)))
    directory[50708] = "Maker Camera"
    add(50714, _SHORT, BLACK)
    add(50717, _SHORT, WHITE)
    add(50721, _SIGNED_RATIONAL, _COLOR_MATRIX)
    if neutral is not None:
        add(50728, _RATIONAL, neutral)
    add(50778, _SHORT, _D65)
    for tag, value in (tags or {}).items():
        directory[tag] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack("<2sHI", b"II", 42, 8)
    path.write_bytes(header + directory.tobytes(8) + raw.tobytes())
