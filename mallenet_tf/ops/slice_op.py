"""Malleable slicing: the public op and its readable reference.

MalleConv (Jiang et al. 2022), equations (1) and (2): a low-resolution grid of depthwise kernels is
interpolated bilinearly at every pixel and applied there. The native implementation is in
custom_ops/malleable_slice.
"""

import functools
import logging
import math
from types import ModuleType
from typing import Any

import numpy as np
from keras import backend, ops

from mallenet_tf.ops.loader import BUILD_COMMAND, load_native
from mallenet_tf.ops.native_calls import native_obstacle, run_once
from mallenet_tf.ops.slice_arguments import check_arguments, to_tensor

Tensor = Any

_logger = logging.getLogger("mallenet_tf")

IMPLEMENTATIONS = ("auto", "native", "reference")


def malleable_slice(
    features: Tensor,
    kernels: Tensor,
    bias: Tensor | None = None,
    *,
    implementation: str = "auto",
) -> Tensor:
    """Filters every pixel with kernels interpolated from a low-resolution grid.

    MalleConv (Jiang et al. 2022), equations (1) and (2). Interpolates the kernels and the bias
    bilinearly at half-pixel centers, clamped at the border, as bilinear `tf.image.resize` does, and
    applies them to each channel separately, as `DepthwiseConv2D` with zero padding does. The native
    op never stores the interpolated kernels. Its gradients are the same bits for any number of
    threads; it has first-order gradients only.

    Args:
        features: [N, H, W, C], float16, bfloat16, float32 or float64. H and W may be unknown while
            a graph is traced.
        kernels: [N, h, w, K*K, C], same type; K odd, tap ky * K + kx. Any h, w >= 1.
        bias: [N, h, w, C], same type, or None.
        implementation: "native" or "reference" runs that one. "auto" runs the native op on Keras's
            TensorFlow backend, and the reference on other backends, under XLA (`jit_compile=True`),
            where the library is missing (logged once), and on GPUs that the library has no kernel
            for.

    Returns:
        [N, H, W, C], the type of features. Half-precision types are summed in float32.

    Raises:
        ValueError: A rank, size, type or the implementation is wrong, or "native" cannot run here.
    """
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(
            f"`implementation` must be one of {', '.join(IMPLEMENTATIONS)}. "
            f"Received: implementation={implementation!r}"
        )
    features = to_tensor("features", features)
    kernels = to_tensor("kernels", kernels)
    bias = None if bias is None else to_tensor("bias", bias)
    check_arguments(features, kernels, bias)
    native = None if implementation == "reference" else _native_or_none(implementation)
    if native is None:
        return malleable_slice_reference(features, kernels, bias)
    return native.malleable_slice(
        features=features, kernels=kernels, bias=[] if bias is None else [bias]
    )


def malleable_slice_reference(
    features: Tensor, kernels: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Computes `malleable_slice` for every Keras backend; stores the interpolated kernels of a tap.

    Half-precision inputs are computed in float32 and rounded once, at the end.

    Args:
        features: [N, H, W, C].
        kernels: [N, h, w, K*K, C], same type.
        bias: [N, h, w, C], same type, or None.

    Returns:
        [N, H, W, C], the type of features.
    """
    is_double = backend.standardize_dtype(features.dtype) == "float64"
    dtype = "float64" if is_double else "float32"
    height, width = ops.shape(features)[1:3]
    size = math.isqrt(kernels.shape[3])
    radius = size // 2
    padded = ops.pad(
        ops.cast(features, dtype), [[0, 0], [radius, radius], [radius, radius], [0, 0]]
    )
    output: Tensor = 0 if bias is None else resize_grid(ops.cast(bias, dtype), height, width)
    for tap in range(size * size):
        y, x = divmod(tap, size)
        neighbor = padded[:, y : y + height, x : x + width]
        kernel = resize_grid(ops.cast(kernels[:, :, :, tap], dtype), height, width)
        output = output + neighbor * kernel
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
    """Returns which two of `cells` grid cells each of `size` pixels mixes.

    Pixel p has the grid coordinate g = (p + 0.5) * cells / size - 0.5, clamped to the grid (half-
    pixel centers). Written in integers, 2 * size * g = (2 * p + 1) * cells - size is exact.

    Args:
        size: Number of pixels, an int or a scalar TensorFlow tensor.
        cells: Number of grid cells, likewise.

    Returns:
        lower, upper: Indices; equal where the weight is zero, so that a cell without weight has no
            influence even if it is not finite.
        weight: Of the upper cell, float64 in [0, 1).
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


def _native_or_none(implementation: str) -> ModuleType | None:
    """Returns the native ops if they are asked for or can run here, else None.

    Raises:
        ValueError: They are asked for and cannot run.
    """
    required = implementation == "native"
    obstacle = native_obstacle()
    if obstacle is None and not required and _gpu_without_kernel():
        return None
    if obstacle is None:
        native = load_native()
        if native is not None:
            _register_gradients(native)
            return native
        obstacle = "is not available: the log says why, and how to build it"
    if required:
        raise ValueError(
            f"The native malleable_slice {obstacle}; use 'auto' or 'reference'. "
            f"Received: implementation={implementation!r}"
        )
    return None


@functools.cache
def _gpu_without_kernel() -> bool:
    """Says whether TensorFlow uses a GPU that the library has no kernel for; logs it once."""
    import tensorflow as tf
    from tensorflow.python.framework import kernels

    if not tf.config.list_logical_devices("GPU") or load_native() is None:
        return False
    registered = kernels.get_registered_kernels_for_op("MalleableSlice").kernel
    if any(kernel.device_type == "GPU" for kernel in registered):
        return False
    _logger.warning(
        "the native op was built without CUDA kernels; the slower reference implementation is "
        "used on GPUs. To build them, install the CUDA toolkit (nvcc) and run: %s --force",
        BUILD_COMMAND,
    )
    return True


@run_once
def _register_gradients(native: ModuleType) -> None:
    """Registers the native op's gradients with TensorFlow."""
    import tensorflow as tf

    @tf.RegisterGradient("MalleableSlice")
    def _first_order(op: Any, output_grad: Tensor) -> list[Tensor]:
        features, kernels, *bias = op.inputs
        grads = native.malleable_slice_grad(
            features=features, kernels=kernels, output_grad=output_grad, num_bias=len(bias)
        )
        return [grads.features_grad, grads.kernels_grad, *grads.bias_grad]

    @tf.RegisterGradient("MalleableSliceGrad")
    def _second_order(op: Any, *grads: Tensor) -> None:
        raise NotImplementedError(
            "The native malleable_slice has no second-order gradient; "
            "use malleable_slice(..., implementation='reference')."
        )
