"""sRGB's transfer function, IEC 61966-2-1, and its inverse, once for every array library.

Both are continued below black as odd functions, so that noise keeps its sign, and beyond white by
the same power. Source: deformable_kernels.txt, equation (8).
"""

from typing import Any

Array = Any

_ALPHA, _GAMMA, _SLOPE = 0.055, 2.4, 12.92
_KNEE = 0.0031308  # of linear light, below it the function is linear; times the slope, of sRGB


def to_linear(values: Array, library: Any) -> Array:
    """From sRGB values to linear light.

    Args:
        values: float, of any shape.
        library: the array's: `numpy`, `tensorflow` or `keras.ops`.
    """
    size = library.abs(values)
    power = ((size + _ALPHA) / (1.0 + _ALPHA)) ** _GAMMA
    return library.where(size <= _KNEE * _SLOPE, values / _SLOPE, library.sign(values) * power)


def to_srgb(light: Array, library: Any) -> Array:
    """From linear light to sRGB values; arguments as of `to_linear`, whose inverse it is."""
    size = library.abs(light)
    # Below the knee the power is not used, but its gradient at 0 would be infinite.
    power = (1.0 + _ALPHA) * library.maximum(size, _KNEE) ** (1.0 / _GAMMA) - _ALPHA
    return library.where(size <= _KNEE, light * _SLOPE, library.sign(light) * power)
