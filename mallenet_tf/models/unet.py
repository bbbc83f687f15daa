"""A U-Net for denoising, with or without a dynamic filter at its bottom.

Source: Ronneberger et al. 2015; malleconv.txt, section 4.3 and Fig. 8, which gives block numbers
and channels; the layers of a block are those of the original.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mallenet_tf.common.types import Tensor
from mallenet_tf.layers.blocks import convolution
from mallenet_tf.layers.carafe import Carafe
from mallenet_tf.layers.dynamic import dynamic_filter, kernel_spacing, stored_options
from mallenet_tf.models.denoising_model import DenoisingModel, image_input, subtract_noise

UPSAMPLINGS = ("transposed", "carafe")


@keras.saving.register_keras_serializable("mallenet_tf")
class UNet(DenoisingModel):
    """Encoder and decoder of `blocks` scales with two 3x3 convolutions each and skip connections.

    The width doubles with each 2x2 max pooling, and each 2x2 transposed convolution halves it. The
    network predicts the noise, which is subtracted from the input.

    Args:
        blocks: Number of scales of the encoder and of the decoder; 2, 3 and 4 in malleconv.txt.
        width: Number of channels at the full resolution; 8, 16 and 32 in malleconv.txt.
        dynamic: Name of a dynamic filter of `layers.DYNAMIC_FILTERS` that replaces the second
            convolution at the bottom, the middle of the network; None for none.
        dynamic_options: Arguments of the filter.
        upsampling: "transposed", or "carafe" for content-aware reassembly and a 1x1 convolution.
        image_channels: 3 for color, 1 for gray.
        noise_conditioned: True for a noise level map; a number for that many maps.
        trained_sigma: Noise level of the training data, in 8-bit units; None for several.
        implementation: Implementation of MalleConv's fused op: "auto", "native" or "reference".

    Input shape:
        `[N, H, W, image_channels]`, plus one channel per noise level map; H and W multiples of
        `size_multiple`, `2 ** blocks`.

    Output shape:
        `[N, H, W, image_channels]`, not clipped.

    Raises:
        ValueError: If `blocks` or `width` is below 1, or the filter or `upsampling` is unknown.

    Example:
        >>> UNet(blocks=2, width=8)(keras.ops.ones((1, 32, 48, 3))).shape
        TensorShape([1, 32, 48, 3])
    """

    def __init__(
        self,
        blocks: int = 4,
        width: int = 32,
        dynamic: str | None = None,
        dynamic_options: Mapping[str, Any] | None = None,
        upsampling: str = "transposed",
        image_channels: int = 3,
        noise_conditioned: bool | int = False,
        trained_sigma: float | None = None,
        implementation: str = "auto",
        name: str = "unet",
    ):
        if blocks < 1 or width < 1:
            raise ValueError(
                f"blocks and width must be at least 1. Received: blocks={blocks}, width={width}"
            )
        if upsampling not in UPSAMPLINGS:
            raise ValueError(
                f"upsampling must be one of {UPSAMPLINGS}. Received: upsampling={upsampling!r}"
            )
        inputs, noisy = image_input(image_channels, noise_conditioned)
        features, skips = inputs, []
        for level in range(blocks):
            features = _pair(features, width * 2**level, f"encoder{level}")
            skips.append(features)
            features = layers.MaxPooling2D(2, name=f"encoder{level}_pool")(features)
        bottom = width * 2**blocks
        features = convolution(bottom, 3, "bottom_conv0", activation="relu")(features)
        if dynamic:
            middle = dynamic_filter(dynamic, "bottom_dynamic", dynamic_options, implementation)
            features = layers.ReLU(name="bottom_relu")(middle(features))
        else:
            features = convolution(bottom, 3, "bottom_conv1", activation="relu")(features)
        for level in reversed(range(blocks)):
            features = _up(features, width * 2**level, upsampling, f"decoder{level}_up")
            both = layers.Concatenate(name=f"decoder{level}_concat")([features, skips[level]])
            features = _pair(both, width * 2**level, f"decoder{level}")
        last = convolution(image_channels, 1, "noise", scale=0.01)
        denoised = subtract_noise(inputs, noisy, last(features), noise_conditioned)
        options = {
            "blocks": blocks,
            "width": width,
            "dynamic": dynamic,
            "dynamic_options": stored_options(dynamic, dynamic_options),
            "upsampling": upsampling,
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
            "implementation": implementation,
        }
        super().__init__(inputs, denoised, options, name)
        self.size_multiple = 2**blocks
        self.kernel_spacing = 2**blocks * kernel_spacing(middle) if dynamic else 1
        # Encoder: two convolutions and the pooling's other pixel per scale. Decoder: two
        # convolutions, and a transposed convolution of one pixel or a reassembly of two more.
        bottom_radius = 1 + (middle.receptive_field_radius if dynamic else 1)
        scales = 5 if upsampling == "transposed" else 5 + 2 * 2
        self.receptive_field_radius = sum(scales * 2**level for level in range(blocks))
        self.receptive_field_radius += bottom_radius * 2**blocks


def _pair(features: Tensor, filters: int, name: str) -> Tensor:
    for index in range(2):
        features = convolution(filters, 3, f"{name}_conv{index}", activation="relu")(features)
    return features


def _up(features: Tensor, filters: int, upsampling: str, name: str) -> Tensor:
    if upsampling == "carafe":
        features = Carafe(name=name)(features)
        return layers.Conv2D(filters, 1, name=f"{name}_project")(features)
    return layers.Conv2DTranspose(filters, 2, strides=2, name=name)(features)
