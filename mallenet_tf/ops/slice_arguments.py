"""Converts and checks the arguments of malleable slicing."""

import math
from typing import Any

import keras

Tensor = Any

_DTYPES = ("float16", "bfloat16", "float32", "float64")


def to_tensor(name: str, value: Any) -> Tensor:
    """Converts an array to a tensor; refuses placeholders of Keras's functional API.

    Raises:
        ValueError: `value` is a placeholder, which holds no values.
    """
    if isinstance(value, keras.KerasTensor):
        raise ValueError(
            f"`{name}` must be a tensor or an array; in a functional model use "
            f"mallenet_tf.layers.MalleConv, or call this op in a layer. Received: {name}={value}"
        )
    return keras.ops.convert_to_tensor(value)


def check_arguments(features: Tensor, kernels: Tensor, bias: Tensor | None) -> None:
    """Checks types, ranks and the sizes that are known.

    Raises:
        ValueError: One of them is wrong.
    """
    dtype = keras.backend.standardize_dtype(features.dtype)
    if dtype not in _DTYPES:
        raise ValueError(
            f"`features` must be of type {', '.join(_DTYPES)}. Received: features.dtype={dtype}"
        )
    _check_rank("features", features, 4, "[N, H, W, C]")
    _check_rank("kernels", kernels, 5, "[N, h, w, K*K, C]")
    taps = kernels.shape[3]
    if taps is None or math.isqrt(taps) ** 2 != taps or taps % 2 == 0:
        raise ValueError(
            "Dimension 3 of `kernels` must be K * K for an odd K. "
            f"Received: kernels.shape={tuple(kernels.shape)}"
        )
    others = {"kernels": kernels} if bias is None else {"kernels": kernels, "bias": bias}
    for name, tensor in others.items():
        if keras.backend.standardize_dtype(tensor.dtype) != dtype:
            raise ValueError(
                f"`{name}` must have the type of `features`, {dtype}. "
                f"Received: {name}.dtype={keras.backend.standardize_dtype(tensor.dtype)}"
            )
    _check_sizes("kernels", kernels, (0, 4), "features", features, (0, 3))
    if 0 in kernels.shape[1:3]:
        raise ValueError(
            "`kernels` must have at least one grid cell. "
            f"Received: kernels.shape={tuple(kernels.shape)}"
        )
    if bias is not None:
        _check_rank("bias", bias, 4, "[N, h, w, C]")
        _check_sizes("bias", bias, (0, 1, 2, 3), "kernels", kernels, (0, 1, 2, 4))


def _check_rank(name: str, tensor: Tensor, rank: int, layout: str) -> None:
    if len(tensor.shape) != rank:
        raise ValueError(
            f"`{name}` must have rank {rank}, {layout}. "
            f"Received: {name}.shape={tuple(tensor.shape)}"
        )


def _check_sizes(
    name: str,
    tensor: Tensor,
    axes: tuple[int, ...],
    other_name: str,
    other: Tensor,
    other_axes: tuple[int, ...],
) -> None:
    """Checks that dimensions are equal where both are known."""
    for axis, other_axis in zip(axes, other_axes, strict=True):
        size, wanted = tensor.shape[axis], other.shape[other_axis]
        if size is not None and wanted is not None and size != wanted:
            raise ValueError(
                f"Dimension {axis} of `{name}` must equal dimension {other_axis} of "
                f"`{other_name}`, {wanted}. Received: {name}.shape={tuple(tensor.shape)}"
            )
