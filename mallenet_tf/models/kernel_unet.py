"""What the networks have in common that predict kernels for the noisy pixels themselves.

Source: deformable_kernels.txt, sections 3.1 and 3.2, Figs. 3 and 4, Table 1.
"""

import itertools

import keras
from keras import layers

from mallenet_tf.layers import (
    BilinearUpsample,
    GroupAverage,
    LinearToSrgb,
    SelectChannels,
    SrgbToLinear,
)
from mallenet_tf.layers.blocks import he_normal
from mallenet_tf.models.denoising_model import image_input

# Table 1, stage by stage from the full resolution down and up again: the factor of the width, 64 in
# the paper, and how many 3x3 convolutions. The last stage's third one is the output, C27.
ENCODER = ((1, 3), (2, 3), (4, 3), (8, 3), (8, 3))
DECODER = ((8, 3), (4, 3), (2, 3), (2, 2))
SIZE_MULTIPLE = 2 ** (len(ENCODER) - 1)

# Predictions start near their bias: offsets within about a pixel, kernels near the mean.
_START = 1e-3


def convolution(filters: int, name: str, activation: str | None = "relu", **options):
    """A 3x3 convolution of the paper."""
    options = {"kernel_initializer": he_normal(), **options}
    return layers.Conv2D(filters, 3, padding="same", activation=activation, name=name, **options)


def prediction(filters: int, name: str, activation: str | None = None, start: float = 0.0):
    """A 3x3 convolution that predicts: offsets, or kernels that start near `start`."""
    bias = keras.initializers.Constant(start)
    return convolution(
        filters, name, activation, kernel_initializer=he_normal(_START), bias_initializer=bias
    )


def linear_input(image_channels: int, noise_conditioned: bool | int, frames: int):
    """The input, its frames in linear light, and these with the planes of noise parameters."""
    inputs, stack = image_input(image_channels, noise_conditioned, frames)
    linear = SrgbToLinear(dtype="float32", name="linear")(stack)
    if not noise_conditioned:
        return inputs, linear, linear
    take = SelectChannels(int(noise_conditioned), stack.shape[-1], dtype="float32", name="planes")
    together = layers.Concatenate(dtype="float32", name="linear_and_planes")
    return inputs, linear, together([linear, take(inputs)])


def unet_features(inputs, width: int):
    """The U-Net, C1 to C26 of Table 1: `[N, H, W, C]` to `[N, H, W, 2 * width]`.

    Pooling, upsampling and the place of the sums are not in the paper. Ours: averages over 2x2,
    bilinear interpolation, as kernel prediction networks have them, and each sum behind a stage's
    first convolution, where both sides have the same width. At the full resolution they have not
    (64 and 128), so nothing is added there.
    """
    number = itertools.count(1)

    def stage(features, factor, count, skip=None):
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


def predicted_weights(parts, width: int, weights: int, mean_over: int):
    """The "conv layers" of Fig. 3 and Table 1: `[N, H, W, weights]`, near 1 / mean_over at first.

    The paper starts at random; a network that starts as a mean of pixels needs no time to find the
    image's brightness.
    """
    features = layers.Concatenate(name="weights_input")(parts)
    for index in (1, 2):
        features = convolution(width, f"weights_c{index}")(features)
    head = prediction(weights, "weights_c3", start=1.0 / mean_over)
    return head(features)


def srgb_outputs(results, groups: int):
    """From the groups' results in linear light to the network's outputs: their mean, and all."""
    mean = GroupAverage(groups, dtype="float32", name="mean")(results)
    denoised = LinearToSrgb(dtype="float32", name="denoised")(mean)
    if groups == 1:
        return denoised, None
    return denoised, LinearToSrgb(dtype="float32", name="group_results")(results)


def unet_radius() -> int:
    """How far, in pixels to one side, an input pixel can reach into the U-Net's features."""
    # Four poolings: a pixel lies up to 15 from the far end of its block of 16.
    reach = SIZE_MULTIPLE - 1
    for level, (_, count) in enumerate(ENCODER):
        reach += count * 2**level
    for level, (_, count) in enumerate(reversed(DECODER)):
        reach += (count + 2) * 2**level  # upsampling mixes with the next pixel, twice as large
    return reach
