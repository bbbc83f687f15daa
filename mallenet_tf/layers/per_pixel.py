"""Depthwise convolution with a kernel for every pixel: what most dynamic filters end with."""

import math
from collections.abc import Iterator

import keras
from keras import ops

# The name scope of the products, by which the profiler counts them.
PRODUCTS = "per_pixel_products"


def apply_per_pixel(features, kernels, dilation: int = 1):
    """Convolves each pixel's neighbourhood with that pixel's own kernel, zero outside the image.

    The kernel's taps are taken one after the other, so that beside the kernels themselves no
    more than two tensors of the features' size are held.

    Args:
        features: `[N, H, W, C]`.
        kernels: `[N, H, W, K * K, G]`, taps by rows; G divides C, and each of the G groups of
            neighbouring channels shares its kernels.
        dilation: distance of the taps, in pixels.

    Returns:
        `[N, H, W, C]`.

    Raises:
        ValueError: if K is even, or G does not divide C.

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


def neighbors(features, size: int, dilation: int = 1) -> Iterator:
    """Yields what each tap of a kernel meets at every pixel, zero outside the image.

    Args:
        features: `[N, H, W, C]`.
        size: side of the kernel, odd; its taps come by rows.
        dilation: distance of the taps, in pixels.
    """
    _, height, width, _ = ops.shape(features)
    margin = dilation * (size // 2)
    padded = ops.pad(features, [[0, 0], [margin, margin], [margin, margin], [0, 0]])
    for tap in range(size * size):
        y, x = dilation * (tap // size), dilation * (tap % size)
        yield padded[:, y : y + height, x : x + width]
