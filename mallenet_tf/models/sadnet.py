"""SADNet: an encoder and a decoder of deformable convolutions.

Source: sadnet.txt, "Spatial-Adaptive Network for Single Image Denoising" (Chang et al., ECCV 2020),
section 3 and Figs. 1 to 3. Details missing in the paper follow the authors' code. Code and paper
differ in the last convolution, 3x3 in the code and 1x1 in the paper, and in what is transferred
from scale to scale: features in the code, offsets and modulations in equation 5.

The network has the code's 4,234,723 parameters; the paper's table says 4,321k. The table's 50.1 G
multiply-adds at 480x320 count each output of a transposed convolution as if it used the whole
kernel; otherwise they are 47.1 G.
"""

import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
from keras import layers

from mallenet_tf.common.types import Tensor
from mallenet_tf.layers import BilinearUpsample, DeformableConv, OffsetUpsample
from mallenet_tf.layers.deformable_convolution import offset_allowance, offset_convolution
from mallenet_tf.models.denoising_model import DenoisingModel, image_input

WIDTH_FACTORS = (1, 2, 4, 8)  # of the four scales
OFFSET_FEATURES = 32
GROUPS = 8  # of channels with offsets of their own
COMPRESSION = 4  # of the channels inside the context block
TRANSFERS = ("features", "offsets")
# Keras's initialization is Xavier's, and its "leaky_relu" has the slope of the authors' code, 0.2.
_convolution = functools.partial(layers.Conv2D, padding="same")


@keras.saving.register_keras_serializable("mallenet_tf")
class SADNet(DenoisingModel):
    """Encoder of residual blocks, context block, and decoder of spatial-adaptive blocks.

    A residual spatial-adaptive block (RSAB) is a residual block whose first convolution is a
    modulated deformable one. What predicts its offsets is transferred to the next finer scale. The
    network predicts a residual, which is added to the input.

    Args:
        width: Number of channels at the full resolution, a multiple of 8; 32 in the paper.
        spatial_adaptive: Whether to use RSABs; False uses residual blocks instead (Table 1).
        offset_transfer: Whether offsets depend on the features of the scale below (Table 1).
        transfer: What the scale below hands over: the "features" that its offsets are predicted
            from, as in the authors' code, or its "offsets" and modulations, as in equation 5.
        activated_offsets: Whether the last convolution of the offset block is activated, as in the
            authors' code; the paper does not say.
        max_offset: Largest offset in features of its scale; None for no bound, as published.
        context: Whether to use a context block (Table 1).
        dilations: Dilations of the context block; (1, 2, 4, 8) is the variant of Table 4.
        first_size: Side of the first convolution: 1 in code and paper.
        last_size: Side of the last convolution: 3 in the code, 1 in the paper.
        image_channels: 3 for color, 1 for gray.
        noise_conditioned: True for a noise level map, sigma / 255, as the last input channel;
            a number for that many maps. The paper's networks are blind.
        trained_sigma: Noise level of the training data, in 8-bit units; None for several.

    Input shape:
        `[N, H, W, image_channels]`, plus one channel per noise level map; H and W multiples of
        `size_multiple`, 8.

    Output shape:
        `[N, H, W, image_channels]`, not clipped.

    Raises:
        ValueError: If `width` is not a multiple of 8, `transfer` is unknown, or offsets are
            transferred without RSABs.

    Example:
        >>> SADNet()(keras.ops.ones((1, 64, 48, 3))).shape
        TensorShape([1, 64, 48, 3])
    """

    size_multiple = 8
    options_before: Mapping[str, Any] = MappingProxyType(
        {"first_size": 3, "activated_offsets": False}
    )

    def __init__(
        self,
        width: int = 32,
        spatial_adaptive: bool = True,
        offset_transfer: bool = True,
        transfer: str = "features",
        activated_offsets: bool = True,
        max_offset: float | None = None,
        context: bool = True,
        dilations: Sequence[int] = (1, 2, 3, 4),
        first_size: int = 1,
        last_size: int = 3,
        image_channels: int = 3,
        noise_conditioned: bool | int = False,
        trained_sigma: float | None = None,
        name: str = "sadnet",
    ):
        if width < 1 or width % 8:
            raise ValueError(f"width must be a multiple of 8. Received: width={width}")
        if offset_transfer and not spatial_adaptive:
            raise ValueError(
                "There are no offsets to transfer without RSABs; set offset_transfer=False too. "
                f"Received: spatial_adaptive={spatial_adaptive}, offset_transfer={offset_transfer}"
            )
        if transfer not in TRANSFERS:
            raise ValueError(
                f"transfer must be one of {TRANSFERS}. Received: transfer={transfer!r}"
            )
        inputs, noisy = image_input(image_channels, noise_conditioned)
        widths = [factor * width for factor in WIDTH_FACTORS]
        features = _convolution(width, first_size, name="head")(inputs)
        encoded = []
        for scale, channels in enumerate(widths):
            if scale:
                name_down = f"scale{scale}_down"
                down = _convolution(channels, 2, strides=2, activation="leaky_relu", name=name_down)
                features = down(features)
            features = _residual_block(features, f"scale{scale}_encoder")
            encoded.append(features)
        if context:
            features = _context_block(features, dilations)

        below = None  # what the scale below transfers
        for scale in reversed(range(len(widths))):
            stage = f"scale{scale}_decoder"
            if scale < len(widths) - 1:
                features = _merge(features, encoded[scale], stage)
            if spatial_adaptive:
                guide = _offset_block(features, below, activated_offsets, stage)
                explicit = transfer == "offsets"
                if explicit:
                    guide = offset_convolution(3, GROUPS, f"{stage}_offsets")(guide)
                if scale and offset_transfer:
                    below = _magnified(guide, explicit, stage)
                deformable = DeformableConv(
                    groups=GROUPS,
                    activation="leaky_relu",
                    max_offset=max_offset,
                    predicts=not explicit,
                    name=f"{stage}_deformable",
                )
                features = _residual(features, deformable(features, guide), stage)
            else:
                features = _residual_block(features, stage)
        change = _convolution(image_channels, last_size, name="change")(features)
        denoised = layers.Add(name="denoised", dtype="float32")([noisy, change])
        options = {
            "width": width,
            "spatial_adaptive": spatial_adaptive,
            "offset_transfer": offset_transfer,
            "transfer": transfer,
            "activated_offsets": activated_offsets,
            "max_offset": max_offset,
            "context": context,
            "dilations": list(dilations),
            "first_size": first_size,
            "last_size": last_size,
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
        }
        super().__init__(inputs, denoised, options, name)
        dilation = max(dilations) if context else 0
        self.receptive_field_radius = receptive_field_radius(dilation, max_offset)


def receptive_field_radius(dilation: int, max_offset: float | None = None) -> int:
    """Returns the pixels to one side that can influence an output pixel.

    Without a bound it assumes that learned offsets stay within `OFFSET_ALLOWANCE` features of their
    scale.

    Args:
        dilation: Largest dilation of the context block.
        max_offset: Largest offset in features; None for no bound.
    """
    strides = [2**scale for scale in range(len(WIDTH_FACTORS))]
    encoder = 2
    # Convolutions for offsets, tap and offset, convolution.
    adaptive = 5 + offset_allowance(max_offset) + 2
    change_of_scale = 2
    scales = sum(stride * (encoder + adaptive + change_of_scale) for stride in strides)
    return 2 + scales + strides[-1] * dilation


def _residual(inputs: Tensor, features: Tensor, name: str) -> Tensor:
    """Ends a residual block: a 3x3 convolution of `features`, plus the inputs."""
    change = _convolution(inputs.shape[-1], 3, name=f"{name}_conv")(features)
    return layers.Add(name=f"{name}_add")([inputs, change])


def _residual_block(inputs: Tensor, name: str) -> Tensor:
    """ResBlock of Fig. 1: 3x3 convolution, LeakyReLU, 3x3 convolution, plus the input."""
    first = _convolution(inputs.shape[-1], 3, name=f"{name}_first", activation="leaky_relu")
    return _residual(inputs, first(inputs), name)


def _context_block(inputs: Tensor, dilations: Sequence[int]) -> Tensor:
    """Context block of Fig. 3: parallel dilated convolutions, fused, plus the input."""
    channels = inputs.shape[-1]
    compressed = channels // COMPRESSION
    features = _convolution(compressed, 1, name="context_compress")(inputs)
    branches = [
        _convolution(
            compressed,
            3,
            dilation_rate=dilation,
            activation="leaky_relu",
            name=f"context_branch{index}",
        )(features)
        for index, dilation in enumerate(dilations)
    ]
    features = layers.Concatenate(name="context_concat")(branches)
    features = _convolution(channels, 1, name="context_fuse")(features)
    return layers.Add(name="context_add")([inputs, features])


def _merge(features: Tensor, encoded: Tensor, name: str) -> Tensor:
    """Merges features of the scale below, upsampled, with the encoder's."""
    channels = encoded.shape[-1]
    up = layers.Conv2DTranspose(channels, 2, strides=2, padding="same", name=f"{name}_up")
    features = layers.Concatenate(name=f"{name}_concat")([up(features), encoded])
    return _convolution(channels, 1, name=f"{name}_merge")(features)


def _magnified(guide: Tensor, explicit: bool, name: str) -> Tensor:
    """Upsamples what predicts offsets, or offsets, for the next scale.

    Offsets double with the resolution, and so do the features that predict them.
    """
    if explicit:
        return OffsetUpsample(name=f"{name}_offsets_up")(guide)
    upsampled = BilinearUpsample(name=f"{name}_guide_up")(guide)
    # Not layers.Rescaling, which needs TensorFlow on every backend.
    return layers.Add(name=f"{name}_guide_double")([upsampled, upsampled])


def _offset_block(features: Tensor, below: Tensor | None, activated: bool, name: str) -> Tensor:
    """Returns the features that predict offsets (Fig. 2, green)."""

    def convolution(stage: str, activation: str | None = None) -> keras.layers.Layer:
        layer_name = f"{name}_offset_{stage}"
        return _convolution(OFFSET_FEATURES, 3, activation=activation, name=layer_name)

    guide = convolution("features", "leaky_relu")(features)
    if below is not None:
        guide = layers.Concatenate(name=f"{name}_offset_concat")([guide, below])
        guide = convolution("transfer", "leaky_relu")(guide)
    return convolution("last", "leaky_relu" if activated else None)(guide)
