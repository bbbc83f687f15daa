"""Depthwise convolution with a kernel for every pixel, the last step of most dynamic filters."""

import math
from collections.abc import Iterator

import keras
from keras import ops

from mallenet_tf.common.types import Tensor

# Name scope of the products, by which the profiler counts them.
PRODUCTS = "per_pixel_products"


def apply_per_pixel(features: Tensor, kernels: Tensor, dilation: int = 1) -> Tensor:
    """Convolves each pixel's neighborhood with that pixel's kernel, zero outside the image.

    The taps are processed one by one, so that apart from the kernels memory holds no more than two
    tensors of the features' size.

    Args:
        features: `[N, H, W, C]`.
        kernels: `[N, H, W, K * K, G]`, taps in row order. G divides C; each of the G groups of
            adjacent channels shares a kernel.
        dilation: Distance between taps, in pixels.

    Returns:
        `[N, H, W, C]`.

    Raises:
        ValueError: If K is even or G does not divide C.

    Example:
        >>> apply_per_pixel(keras.ops.ones((1, 4, 4, 6)), keras.ops.ones((1, 4, 4, 9, 2))).shape
        TensorShape([1, 4, 4, 6])
    """
    taps, groups = kernels.shape[-2:]
    size, channels = math.isqrt(taps), features.shape[-1]
    if size * size != taps or size % 2 == 0 or channels % groups:
        raise ValueError(
            "The kernels must be [N, H, W, K * K, G], with an odd K and a G that divides the "
            f"features' channels. Received: kernels of shape {tuple(kernels.shape)}, "
            f"{channels} channels"
        )
    result = None
    for tap, shifted in enumerate(neighbors(features, size, dilation)):
        kernel = kernels[..., tap, :]
        if groups < channels:
            kernel = ops.repeat(kernel, channels // groups, axis=-1)
        with keras.name_scope(PRODUCTS):
            product = shifted * kernel
        result = product if result is None else result + product
    return result


def neighbors(features: Tensor, size: int, dilation: int = 1) -> Iterator[Tensor]:
    """Yields the features shifted to each tap of a kernel, zero outside the image.

    Args:
        features: `[N, H, W, C]`.
        size: Side of the kernel, odd; its taps are in row order.
        dilation: Distance between taps, in pixels.

    Yields:
        `[N, H, W, C]`.
    """
    _, height, width, _ = ops.shape(features)
    margin = dilation * (size // 2)
    padded = ops.pad(features, [[0, 0], [margin, margin], [margin, margin], [0, 0]])
    for tap in range(size * size):
        y, x = dilation * (tap // size), dilation * (tap % size)
        yield padded[:, y : y + height, x : x + width]
