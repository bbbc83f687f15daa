"""ADFNet: an encoder and decoder with single-scale and multi-scale dynamic convolutions.

Source: adfnet.txt, "Adaptive Dynamic Filtering Network for Image Denoising" (Shen et al., AAAI
2023), "Method" and Figs. 2 to 4. Details missing in the paper follow the authors' code.

The paper's 7.65 M parameters exclude the deformable convolutions' kernels and biases; with them the
network has 8.63 M. Its 13.9 G multiply-adds at 128x128 exclude the same kernels and the dynamic
kernels' products, and count each output of a transposed convolution as if it used the whole kernel;
counted as for the other networks here, they are 12.3 G.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras
from keras import layers

from mallenet_tf.common.types import Tensor
from mallenet_tf.layers import DynamicConv
from mallenet_tf.layers.multi_scale import multi_scale_block, multi_scale_radius
from mallenet_tf.models.denoising_model import DenoisingModel, image_input

WIDTH_FACTORS = (1, 2, 4, 8)  # of the four scales
REDUCTIONS = (1, 1, 2, 2)  # of the channels before the dilated convolutions
# Keras's "leaky_relu" has the slope of the authors' code, 0.2.
_convolution = functools.partial(layers.Conv2D, padding="same")
# Scales with dynamic blocks (Table 4). Static blocks at the lowest scale for "encoder" and dynamic
# ones for "all" match the table's numbers of parameters.
DYNAMIC_PARTS = {
    "decoder": {"decoder"},
    "encoder": {"encoder"},
    "all": {"encoder", "bottom", "decoder"},
}


@keras.saving.register_keras_serializable("mallenet_tf")
class ADFNet(DenoisingModel):
    """Encoder of convolution blocks and decoder of dynamic convolution blocks, at four scales.

    Each scale of the encoder, and the lowest scale, has a convolution block (CB) and a multi-scale
    one (MCB). Each scale of the decoder has a dynamic convolution block (DCB) and a multi-scale
    dynamic one (MDCB). Features of the scale below are added to the encoder's. The network predicts
    a residual, which is added to the input. ADFNet* is twice as wide.

    The blocks average over the whole image, so that results depend on how an image is tiled.

    Args:
        width: Number of channels at the full resolution, a multiple of 8; 32 in the paper, 64 for
            ADFNet*.
        dynamic_part: Location of the dynamic blocks: "decoder" as published, "encoder" or "all"
            (Table 4).
        dynamic_convolution: Whether to use DCBs; False uses CBs instead (Table 4, w/o DCB).
        multi_scale_dynamic: Whether to use MDCBs; False uses MCBs instead (Table 4, w/o MDCB).
        integration: Whether to integrate features along all dimensions (False: Table 4, w/o MFI).
        averages: What the integration averages: "code" or "paper", see `MultiDimensionAttention`.
        max_offset: Largest offset of the deformable convolutions, in features of their scale; None
            for no bound, as published.
        image_channels: 3 for color, 1 for gray.
        noise_conditioned: True for a noise level map, sigma / 255, as the last input channel;
            a number for that many maps. The paper's networks have none.
        trained_sigma: Noise level of the training data, in 8-bit units; None for several.

    Input shape:
        `[N, H, W, image_channels]`, plus one channel per noise level map; H and W multiples of
        `size_multiple`, 8.

    Output shape:
        `[N, H, W, image_channels]`, not clipped.

    Raises:
        ValueError: If `width` is not a multiple of 8, or `dynamic_part` or `averages` is unknown.

    Example:
        >>> ADFNet()(keras.ops.ones((1, 64, 48, 3))).shape
        TensorShape([1, 64, 48, 3])
    """

    size_multiple = 8
    options_before: Mapping[str, Any] = MappingProxyType({"averages": "mixed"})

    def __init__(
        self,
        width: int = 32,
        dynamic_part: str = "decoder",
        dynamic_convolution: bool = True,
        multi_scale_dynamic: bool = True,
        integration: bool = True,
        averages: str = "code",
        max_offset: float | None = None,
        image_channels: int = 3,
        noise_conditioned: bool | int = False,
        trained_sigma: float | None = None,
        name: str = "adfnet",
    ):
        if width < 1 or width % 8:
            raise ValueError(f"width must be a multiple of 8. Received: width={width}")
        if dynamic_part not in DYNAMIC_PARTS:
            raise ValueError(
                f"dynamic_part must be one of {', '.join(DYNAMIC_PARTS)}. "
                f"Received: dynamic_part={dynamic_part!r}"
            )

        def blocks(features: Tensor, scale: int, part: str) -> Tensor:
            dynamic = part in DYNAMIC_PARTS[dynamic_part]
            stage = f"scale{scale}_{part}"
            block = _dynamic_block if dynamic and dynamic_convolution else _convolution_block
            features = block(features, stage)
            return multi_scale_block(
                features,
                features.shape[-1] // REDUCTIONS[scale],
                dynamic and multi_scale_dynamic,
                averages if integration else None,
                f"{stage}_scales",
                max_offset,
            )

        inputs, noisy = image_input(image_channels, noise_conditioned)
        lowest = len(WIDTH_FACTORS) - 1
        features = _convolution(width, 3, name="head")(inputs)
        encoded = []
        for scale in range(lowest):
            encoded.append(blocks(features, scale, "encoder"))
            channels = WIDTH_FACTORS[scale + 1] * width
            name_down = f"scale{scale}_down"
            down = _convolution(channels, 3, strides=2, activation="leaky_relu", name=name_down)
            features = down(encoded[-1])
        features = blocks(features, lowest, "bottom")
        for scale in reversed(range(lowest)):
            channels = WIDTH_FACTORS[scale] * width
            name_up = f"scale{scale}_up"
            up = layers.Conv2DTranspose(channels, 6, strides=2, padding="same", name=name_up)
            features = layers.Add(name=f"scale{scale}_merge")([up(features), encoded[scale]])
            features = blocks(features, scale, "decoder")
        change = _convolution(image_channels, 3, name="change")(features)
        denoised = layers.Add(name="denoised", dtype="float32")([noisy, change])
        options = {
            "width": width,
            "dynamic_part": dynamic_part,
            "dynamic_convolution": dynamic_convolution,
            "multi_scale_dynamic": multi_scale_dynamic,
            "integration": integration,
            "averages": averages,
            "max_offset": max_offset,
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
        }
        super().__init__(inputs, denoised, options, name)
        self.receptive_field_radius = receptive_field_radius(max_offset)


def receptive_field_radius(max_offset: float | None) -> int:
    """Returns the pixels to one side that can influence an output pixel.

    It ignores averages over the image. Without a bound it assumes that learned offsets stay within
    `OFFSET_ALLOWANCE` features of their scale.
    """
    first = 3  # convolutions of a CB; a DCB has no more
    multi_scale = multi_scale_radius(max_offset)
    down, up = 2, 3
    strides = [2**scale for scale in range(len(WIDTH_FACTORS))]
    blocks = 2 * sum(strides) - strides[-1]  # of encoder and decoder, and once at the lowest scale
    return 2 + blocks * (first + multi_scale) + sum(strides) * (down + up)


def _convolution_block(inputs: Tensor, name: str) -> Tensor:
    """CB: three 3x3 convolutions, LeakyReLU after the second, plus the input."""
    channels = inputs.shape[-1]
    features = _convolution(channels, 3, name=f"{name}_conv0")(inputs)
    features = _convolution(channels, 3, name=f"{name}_conv1", activation="leaky_relu")(features)
    features = _convolution(channels, 3, name=f"{name}_conv2")(features)
    return layers.Add(name=f"{name}_add")([inputs, features])


def _dynamic_block(inputs: Tensor, name: str) -> Tensor:
    """DCB, Fig. 3 (b): convolution, dynamic convolution, LeakyReLU, convolution, plus the input."""
    channels = inputs.shape[-1]
    features = _convolution(channels, 3, name=f"{name}_conv0")(inputs)
    features = DynamicConv(name=f"{name}_dynamic")(features)
    features = layers.LeakyReLU(0.2, name=f"{name}_relu")(features)
    features = _convolution(channels, 3, name=f"{name}_conv1")(features)
    return layers.Add(name=f"{name}_add")([inputs, features])
