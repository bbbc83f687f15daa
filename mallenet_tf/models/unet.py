"""A U-Net for denoising, with and without a dynamic filter at its bottom.

Source: Ronneberger et al. 2015; malleconv.txt, section 4.3 and Fig. 8, which gives block numbers
and channels; the layers of a block are those of the original.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mallenet_tf.layers.blocks import convolution
from mallenet_tf.layers.carafe import Carafe
from mallenet_tf.layers.dynamic import dynamic_filter, kernel_spacing
from mallenet_tf.models.denoising_model import DenoisingModel, image_input, subtract_noise

UPSAMPLINGS = ("transposed", "carafe")


@keras.saving.register_keras_serializable("mallenet_tf")
class UNet(DenoisingModel):
    """Encoder and decoder of `blocks` scales each, two 3x3 convolutions a scale, skips between.

    The width doubles with each 2x2 max pooling; 2x2 transposed convolutions halve it again. The
    output, the noise, is subtracted from the input.

    Args:
        blocks: scales of the encoder, and of the decoder; 2, 3 and 4 in malleconv.txt.
        width: channels at the full resolution; 8, 16 and 32 there.
        dynamic: None, or the name of a dynamic filter, one of `layers.DYNAMIC_FILTERS`, in place of
            the second convolution at the bottom, the middle of the network.
        dynamic_options: the filter's own arguments.
        upsampling: "transposed", or "carafe" for content-aware reassembly and a 1x1 convolution.
        image_channels: 3 for colour, 1 for gray.
        noise_conditioned: True for a noise level plane; a number for so many planes.
        trained_sigma: kept with the model, for a network trained at one noise level.
        implementation: of MalleConv's fused op: "auto", "native" or "reference".

    Input shape:
        `[N, H, W, image_channels]`, and as many more channels as planes; H and W multiples of
        `size_multiple`, `2 ** blocks`.

    Output shape:
        `[N, H, W, image_channels]`, not clipped.

    Raises:
        ValueError: for blocks or a width below 1, an unknown filter or upsampling.

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
            "dynamic_options": dynamic_options and dict(dynamic_options),
            "upsampling": upsampling,
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
            "implementation": implementation,
        }
        super().__init__(inputs, denoised, options, name)
        self.size_multiple = 2**blocks
        self.kernel_spacing = 2**blocks * kernel_spacing(middle) if dynamic else 1
        # Down: two convolutions and the pooling's other pixels a scale. Up: two convolutions, and
        # a transposed convolution that looks at one pixel or a reassembly that looks at two more.
        reach = 1 + (middle.receptive_field_radius if dynamic else 1)
        scales = 5 if upsampling == "transposed" else 5 + 2 * 2
        self.receptive_field_radius = sum(scales * 2**level for level in range(blocks))
        self.receptive_field_radius += reach * 2**blocks


def _pair(features, filters: int, name: str):
    for index in range(2):
        features = convolution(filters, 3, f"{name}_conv{index}", activation="relu")(features)
    return features


def _up(features, filters: int, upsampling: str, name: str):
    if upsampling == "carafe":
        features = Carafe(name=name)(features)
        return layers.Conv2D(filters, 1, name=f"{name}_project")(features)
    return layers.Conv2DTranspose(filters, 2, strides=2, name=name)(features)
