"""The transfer function of sRGB, IEC 61966-2-1, and its inverse, for every array library.

Both extend below black as odd functions, so that noise keeps its sign, and beyond white by the same
power. Source: deformable_kernels.txt, equation (8).
"""

from typing import Any

Array = Any

# ITU-R 601 luma of red, green and blue. Equal channels are luma alone.
LUMA = (0.299, 0.587, 0.114)

_ALPHA, _GAMMA, _SLOPE = 0.055, 2.4, 12.92
_KNEE = 0.0031308  # in linear light; below it the function is linear


def to_linear(values: Array, library: Any) -> Array:
    """Converts sRGB values to linear light.

    Args:
        values: Floats of any shape.
        library: Library of the array: `numpy`, `tensorflow` or `keras.ops`.
    """
    size = library.abs(values)
    power = ((size + _ALPHA) / (1.0 + _ALPHA)) ** _GAMMA
    return library.where(size <= _KNEE * _SLOPE, values / _SLOPE, library.sign(values) * power)


def to_srgb(values: Array, library: Any) -> Array:
    """Converts linear light to sRGB values; the inverse of `to_linear`, with its arguments."""
    size = library.abs(values)
    # Below the knee the power is not used, but its gradient at 0 would be infinite.
    power = (1.0 + _ALPHA) * library.maximum(size, _KNEE) ** (1.0 / _GAMMA) - _ALPHA
    return library.where(size <= _KNEE, values * _SLOPE, library.sign(values) * power)


def slope(values: Array, library: Any) -> Array:
    """Returns the derivative of `to_srgb` at linear light `values`; arguments as of `to_linear`."""
    size = library.abs(values)
    power = (1.0 + _ALPHA) / _GAMMA * library.maximum(size, _KNEE) ** (1.0 / _GAMMA - 1.0)
    return library.where(size <= _KNEE, _SLOPE + 0.0 * values, power)
