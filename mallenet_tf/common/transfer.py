"""Transfer functions: how the values that files store follow from linear light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mallenet_tf.common import srgb

# A display's curve that differs from sRGB's by less than this is one that networks know: gamma 2.2,
# 2.4, BT.709's and L* differ by 0.04 and less, gamma 1.8 by 0.08.
LIKE_SRGB = 0.05
# White of HDR images in linear light, which is 1: ITU-R BT.2408, 203 cd/m^2.
_PQ_WHITE, _HLG_WHITE = 203.0, 0.75
ROWS = 64  # Converted at a time: some formulas take several times the memory of their input.

_Curve = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Transfer:
    """A transfer function between linear light, where 1 is white, and stored values in [0, 1].

    Attributes:
        name: What messages call it.
        decode: Converts stored values to linear light; odd, and defined beyond [0, 1].
        encode: Its inverse.
        hdr: Whether stored values of 1 are far brighter than white.
    """

    name: str
    decode: _Curve
    encode: _Curve
    hdr: bool = False

    def to_linear(self, stored: np.ndarray) -> np.ndarray:
        """Converts samples of a file [H, ...], uint8, uint16 or floats, to linear light.

        Returns:
            float32, or float64 of float64.
        """
        if stored.dtype.kind == "f":
            return _by_rows(self.decode, stored, np.promote_types(stored.dtype, np.float32))
        codes = np.arange(np.iinfo(stored.dtype).max + 1)
        return self.decode(codes / codes[-1]).astype(np.float32)[stored]

    def from_linear(self, linear: np.ndarray, dtype: npt.DTypeLike) -> np.ndarray:
        """Converts linear light [H, ...] to samples of a file of this type."""
        dtype = np.dtype(dtype)
        if dtype.kind == "f":
            return _by_rows(self.encode, linear, dtype)
        white = np.iinfo(dtype).max
        return _by_rows(
            lambda part: np.rint(np.clip(np.nan_to_num(self.encode(part)), 0, 1) * white),
            linear,
            dtype,
        )

    def is_near(self, other: Transfer, tolerance: float = LIKE_SRGB) -> bool:
        """Returns whether a network sees the same in values stored by either."""
        values = np.linspace(0.0, 1.0, 256)
        return float(np.abs(other.encode(self.decode(values)) - values).max()) <= tolerance


def _by_rows(curve: _Curve, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    result = np.empty(values.shape, dtype)
    for top in range(0, len(values), ROWS):
        result[top : top + ROWS] = curve(values[top : top + ROWS].astype(np.float64))
    return result


def gamma(exponent: float) -> Transfer:
    """Returns a power function; stored values are raised to `exponent`."""
    return Transfer(
        f"gamma {exponent:.4g}",
        lambda stored: np.sign(stored) * np.abs(stored) ** exponent,
        lambda linear: np.sign(linear) * np.abs(linear) ** (1.0 / exponent),
    )


def table(name: str, linear: np.ndarray) -> Transfer:
    """Returns the function through equally spaced points, from the linear light of stored 0 to 1.

    Beyond 1 it continues as a line. Noise in the table is removed so that it has an inverse.
    """
    linear = np.maximum.accumulate(linear.astype(np.float64) - float(linear[0]))
    linear = (linear / linear[-1] + 1e-6 * np.linspace(0, 1, len(linear))) / (1.0 + 1e-6)
    stored = np.linspace(0.0, 1.0, len(linear))
    slope = (linear[-1] - linear[-2]) * (len(linear) - 1)

    def decode(values: np.ndarray) -> np.ndarray:
        size = np.abs(values)
        light = np.interp(size, stored, linear) + slope * np.maximum(size - 1.0, 0.0)
        return np.sign(values) * light

    def encode(light: np.ndarray) -> np.ndarray:
        size = np.abs(light)
        values = np.interp(size, linear, stored) + np.maximum(size - 1.0, 0.0) / slope
        return np.sign(light) * values

    return Transfer(name, decode, encode)


def _pq_decode(stored: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = np.clip(stored, 0.0, 1.0) ** (1.0 / m2)
    light = (np.maximum(power - c1, 0.0) / (c2 - c3 * power)) ** (1.0 / m1)
    return light * (10000.0 / _PQ_WHITE)


def _pq_encode(linear: np.ndarray) -> np.ndarray:
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = np.clip(linear * (_PQ_WHITE / 10000.0), 0.0, 1.0) ** m1
    return ((c1 + c2 * power) / (1.0 + c3 * power)) ** m2


_HLG_A = 0.17883277
_HLG_B, _HLG_C = 1.0 - 4.0 * _HLG_A, 0.5 - _HLG_A * np.log(4.0 * _HLG_A)


def _hlg_scene(stored: Any) -> np.ndarray:
    """ITU-R BT.2100, the inverse of its opto-electronic transfer function."""
    size = np.abs(stored)
    bright = (np.exp((np.maximum(size, 0.5) - _HLG_C) / _HLG_A) + _HLG_B) / 12.0
    return np.sign(stored) * np.where(size <= 0.5, size * size / 3.0, bright)


def _hlg_decode(stored: np.ndarray) -> np.ndarray:
    return _hlg_scene(stored) / _hlg_scene(_HLG_WHITE)


def _hlg_encode(linear: np.ndarray) -> np.ndarray:
    size = np.abs(linear) * _hlg_scene(_HLG_WHITE)
    bright = _HLG_A * np.log(12.0 * np.maximum(size, 1.0 / 12.0) - _HLG_B) + _HLG_C
    return np.sign(linear) * np.where(size <= 1.0 / 12.0, np.sqrt(3.0 * size), bright)


LINEAR = Transfer("linear light", lambda stored: stored, lambda linear: linear)
SRGB = Transfer(
    "sRGB", lambda stored: srgb.to_linear(stored, np), lambda linear: srgb.to_srgb(linear, np)
)
PQ = Transfer("PQ", _pq_decode, _pq_encode, hdr=True)
HLG = Transfer("HLG", _hlg_decode, _hlg_encode, hdr=True)
