"""The readable definition of malleable slicing, for every Keras backend.

MalleConv (Jiang et al. 2022), equations (1) and (2): a low-resolution grid of depthwise kernels is
interpolated bilinearly at every pixel and applied there. The native op computes the same without
storing the interpolated kernels; this version stores them, one tap at a time.
"""

import math
from typing import Any

import numpy as np
from keras import backend, ops

Tensor = Any


def malleable_slice_reference(
    features: Tensor, kernels: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Applies interpolated kernels; arguments and result as in `mallenet_tf.ops.malleable_slice`.

    Half-precision inputs are computed in float32 and rounded once, at the end.
    """
    dtype = _compute_dtype(features)
    height, width = ops.shape(features)[1:3]
    size = math.isqrt(kernels.shape[3])
    radius = size // 2
    padded = ops.pad(
        ops.cast(features, dtype), [[0, 0], [radius, radius], [radius, radius], [0, 0]]
    )
    output: Tensor = 0 if bias is None else resize_grid(ops.cast(bias, dtype), height, width)
    for tap in range(size * size):
        y, x = divmod(tap, size)
        neighbour = padded[:, y : y + height, x : x + width]
        kernel = resize_grid(ops.cast(kernels[:, :, :, tap], dtype), height, width)
        output = output + neighbour * kernel
    return ops.cast(output, features.dtype)


def resize_grid(grid: Tensor, height: Any, width: Any) -> Tensor:
    """Resizes `grid` [N, h, w, C] to [N, height, width, C], as bilinear `tf.image.resize` does.

    Unlike the resizing functions of Keras and TensorFlow it keeps float64.
    """
    for axis, size in ((1, height), (2, width)):
        lower, upper, weight = interpolation_taps(size, ops.shape(grid)[axis])
        weight = ops.cast(weight, grid.dtype)
        weight = ops.reshape(weight, (1, -1, 1, 1) if axis == 1 else (1, 1, -1, 1))
        below = ops.take(grid, lower, axis=axis)
        grid = below + (ops.take(grid, upper, axis=axis) - below) * weight
    return grid


def interpolation_taps(size: Any, cells: Any) -> tuple[Any, Any, Any]:
    """Says which two of `cells` grid cells each of `size` pixels mixes.

    Pixel p has the grid coordinate g = (p + 0.5) * cells / size - 0.5, clamped to the grid (half-
    pixel centres). Written in integers, 2 * size * g = (2 * p + 1) * cells - size is exact.

    Args:
        size: number of pixels, an int or a scalar TensorFlow tensor.
        cells: number of grid cells, likewise.

    Returns:
        lower, upper: indices; equal where the weight is zero, so that a cell without weight has no
            influence even if it is not finite.
        weight: of the upper cell, float64 in [0, 1).
    """
    if isinstance(size, int) and isinstance(cells, int):
        positions, maximum, minimum = np.arange(size), np.maximum, np.minimum
    else:
        size, cells = ops.cast(size, "int64"), ops.cast(cells, "int64")
        positions, maximum, minimum = ops.arange(size, dtype="int64"), ops.maximum, ops.minimum
    numerator = minimum(maximum((2 * positions + 1) * cells - size, 0), 2 * size * (cells - 1))
    lower = numerator // (2 * size)
    remainder = numerator - lower * (2 * size)
    return lower, lower + minimum(remainder, 1), remainder / (2 * size)


def _compute_dtype(features: Tensor) -> str:
    """Returns the type to compute in: float64 for float64, float32 for everything else."""
    return "float64" if backend.standardize_dtype(features.dtype) == "float64" else "float32"
