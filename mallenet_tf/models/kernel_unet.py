"""The U-Net of the networks that predict kernels for the noisy pixels.

Source: deformable_kernels.txt, sections 3.1 and 3.2, Figs. 3 and 4, Table 1.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from mallenet_tf.common.types import Tensor
from mallenet_tf.layers import (
    BilinearUpsample,
    GroupAverage,
    LinearToSrgb,
    SelectChannels,
    SrgbToLinear,
)
from mallenet_tf.layers.blocks import he_normal
from mallenet_tf.models.denoising_model import image_input

# The stages of Table 1, from the full resolution down and up again: factor of the width, 64 in the
# paper, and number of 3x3 convolutions. The last stage's third convolution is the output, C27.
ENCODER = ((1, 3), (2, 3), (4, 3), (8, 3), (8, 3))
DECODER = ((8, 3), (4, 3), (2, 3), (2, 2))
SIZE_MULTIPLE = 2 ** (len(ENCODER) - 1)

# Variance scale that starts predictions near their bias: offsets of about a pixel, kernels near the
# mean.
_START = 1e-3


def convolution(
    filters: int, name: str, activation: str | None = "relu", **options: Any
) -> layers.Conv2D:
    """Returns a 3x3 convolution of the U-Net."""
    options = {"kernel_initializer": he_normal(), **options}
    return layers.Conv2D(filters, 3, padding="same", activation=activation, name=name, **options)


def prediction(
    filters: int, name: str, activation: str | None = None, start: float = 0.0
) -> layers.Conv2D:
    """Returns a 3x3 convolution that predicts offsets or kernels, initially near `start`."""
    bias = keras.initializers.Constant(start)
    return convolution(
        filters, name, activation, kernel_initializer=he_normal(_START), bias_initializer=bias
    )


def linear_input(
    image_channels: int, noise_conditioned: bool | int, frames: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the input, its frames in linear light, and these with the noise level maps."""
    inputs, stack = image_input(image_channels, noise_conditioned, frames)
    linear = SrgbToLinear(dtype="float32", name="linear")(stack)
    if not noise_conditioned:
        return inputs, linear, linear
    maps = SelectChannels(int(noise_conditioned), stack.shape[-1], dtype="float32", name="maps")
    together = layers.Concatenate(dtype="float32", name="linear_and_maps")
    return inputs, linear, together([linear, maps(inputs)])


def unet_features(inputs: Tensor, width: int) -> Tensor:
    """Applies the U-Net, C1 to C26 of Table 1: `[N, H, W, C]` to `[N, H, W, 2 * width]`.

    The paper does not specify pooling, upsampling and the position of the sums. This network uses
    2x2 average pooling and bilinear interpolation, like kernel prediction networks, and adds the
    skip connection after a stage's first convolution, where both have the same width. At the full
    resolution the widths differ (64 and 128), so that there is no skip connection.
    """
    number = itertools.count(1)

    def stage(features: Tensor, factor: int, count: int, skip: Tensor | None = None) -> Tensor:
        for index in range(count):
            features = convolution(factor * width, f"c{next(number)}")(features)
            if index == 0 and skip is not None and skip.shape[-1] == features.shape[-1]:
                features = layers.Add()([features, skip])
        return features

    levels = [stage(inputs, *ENCODER[0])]
    for factor, count in ENCODER[1:]:
        levels.append(stage(layers.AveragePooling2D(2)(levels[-1]), factor, count))
    features = levels.pop()
    for factor, count in DECODER:
        features = stage(BilinearUpsample()(features), factor, count, levels.pop())
    return features


def predicted_weights(
    parts: Sequence[Tensor], width: int, weights: int, mean_over: int, suffix: str = ""
) -> Tensor:
    """Applies the "conv layers" of Fig. 3 and Table 1, initially near 1 / `mean_over`.

    The paper starts from random weights. A network that starts as a mean of pixels need not learn
    the image's brightness.

    Args:
        parts: What they are predicted from, concatenated.
        width: Number of channels of the first two convolutions.
        weights: Number of weights.
        mean_over: How many of them make up a result.
        suffix: End of the layers' names.

    Returns:
        `[N, H, W, weights]`.
    """
    features = layers.Concatenate(name=f"weights_input{suffix}")(parts)
    for index in (1, 2):
        features = convolution(width, f"weights_c{index}{suffix}")(features)
    head = prediction(weights, f"weights_c3{suffix}", start=1.0 / mean_over)
    return head(features)


def srgb_outputs(results: Tensor, groups: int) -> tuple[Tensor, Tensor | None]:
    """Returns the mean of the groups' results in sRGB, and all of them if there are several."""
    mean = GroupAverage(groups, dtype="float32", name="mean")(results)
    denoised = LinearToSrgb(dtype="float32", name="denoised")(mean)
    if groups == 1:
        return denoised, None
    return denoised, LinearToSrgb(dtype="float32", name="group_results")(results)


def unet_radius() -> int:
    """Returns the pixels to one side that can influence the U-Net's features."""
    # Four poolings: a pixel is up to 15 pixels from the far end of its block of 16.
    radius = SIZE_MULTIPLE - 1
    for level, (_, count) in enumerate(ENCODER):
        radius += count * 2**level
    for level, (_, count) in enumerate(reversed(DECODER)):
        radius += (count + 2) * 2**level  # upsampling mixes with the next, twice as large pixel
    return radius
