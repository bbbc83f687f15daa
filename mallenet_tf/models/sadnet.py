"""SADNet: an encoder and decoder whose decoder convolves where the image's structures lead.

Source: sadnet.txt, "Spatial-Adaptive Network for Single Image Denoising" (Chang et al., ECCV 2020),
section 3 and Figs. 1 to 3. What the paper leaves out follows the authors' code: it has 3x3
convolutions first and last, where the paper says 1x1, and hands features, not offsets, from scale
to scale. That makes 4,235,491 parameters; the paper's table says 4,321k. The table's 50.1 G
multiply-adds at 480x320 are these 47.2 G with each output of a transposed convolution counted as if
it saw the whole kernel.
"""

import functools
from collections.abc import Sequence

import keras
from keras import layers

from mallenet_tf.layers import BilinearUpsample, DeformableConv
from mallenet_tf.layers.deformable_convolution import OFFSET_ALLOWANCE
from mallenet_tf.models.denoising_model import DenoisingModel, image_input

WIDTH_FACTORS = (1, 2, 4, 8)  # of the four scales
OFFSET_FEATURES = 32
COMPRESSION = 4  # of the channels inside the context block
# Keras starts it as Xavier does; its own "leaky_relu" has the slope of the authors' code, 0.2.
_convolution = functools.partial(layers.Conv2D, padding="same")


@keras.saving.register_keras_serializable("mallenet_tf")
class SADNet(DenoisingModel):
    """Residual blocks going down, a context block, spatial-adaptive blocks going up.

    A residual spatial-adaptive block (RSAB) is a residual block whose first convolution is a
    modulated deformable one. The features that its offsets are made from are handed on to the next
    finer scale. The output is the input plus what the network finds.

    Args:
        width: channels at the full resolution, a multiple of 8; 32 in the paper.
        spatial_adaptive: False for residual blocks in place of the RSABs (Table 1).
        offset_transfer: False for offsets made from each scale's own features (Table 1).
        context: False for no context block (Table 1).
        dilations: of the context block; (1, 2, 4, 8) is the variant of Table 4.
        image_channels: 3 for colour, 1 for gray.
        noise_conditioned: True for a noise level plane, sigma / 255, as the last input channel;
            a number for so many planes. The paper's networks are blind.
        trained_sigma: kept with the model, for a network trained at one noise level.

    Input shape:
        `[N, H, W, image_channels]`, and as many more channels as planes; H and W multiples
        of `size_multiple`, 8.

    Output shape:
        `[N, H, W, image_channels]`, not clipped.

    Raises:
        ValueError: for a width that is no multiple of 8, or offsets to transfer without RSABs.

    Example:
        >>> SADNet()(keras.ops.ones((1, 64, 48, 3))).shape
        TensorShape([1, 64, 48, 3])
    """

    size_multiple = 8

    def __init__(
        self,
        width: int = 32,
        spatial_adaptive: bool = True,
        offset_transfer: bool = True,
        context: bool = True,
        dilations: Sequence[int] = (1, 2, 3, 4),
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
        inputs, noisy = image_input(image_channels, noise_conditioned)
        widths = [factor * width for factor in WIDTH_FACTORS]
        features = _convolution(width, 3, name="head")(inputs)
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

        guide = None  # of the scale below, if it is transferred
        for scale in reversed(range(len(widths))):
            stage = f"scale{scale}_decoder"
            if scale < len(widths) - 1:
                features = _merge(features, encoded[scale], stage)
            if spatial_adaptive:
                guide = _offset_block(features, guide if offset_transfer else None, stage)
                first = DeformableConv(activation="leaky_relu", name=f"{stage}_deformable")
                features = _residual(features, first(features, guide), stage)
            else:
                features = _residual_block(features, stage)
        change = _convolution(image_channels, 3, name="change")(features)
        denoised = layers.Add(name="denoised", dtype="float32")([noisy, change])
        options = {
            "width": width,
            "spatial_adaptive": spatial_adaptive,
            "offset_transfer": offset_transfer,
            "context": context,
            "dilations": list(dilations),
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
        }
        super().__init__(inputs, denoised, options, name)
        self.receptive_field_radius = receptive_field_radius(max(dilations) if context else 0)


def receptive_field_radius(dilation: int) -> int:
    """How far, in pixels to one side, an input pixel reaches into the output.

    Holds while learnt offsets stay within `OFFSET_ALLOWANCE` features of their scale; nothing
    enforces that.

    Args:
        dilation: the largest of the context block.
    """
    strides = [2**scale for scale in range(len(WIDTH_FACTORS))]
    encoder = 2
    adaptive = 5 + OFFSET_ALLOWANCE + 2  # convolutions for offsets, tap and offset, convolution
    change_of_scale = 2
    reach = sum(stride * (encoder + adaptive + change_of_scale) for stride in strides)
    return 2 + reach + strides[-1] * dilation


def _residual(inputs, features, name: str):
    """The end of a residual block: a 3x3 convolution of `features`, plus the inputs."""
    change = _convolution(inputs.shape[-1], 3, name=f"{name}_conv")(features)
    return layers.Add(name=f"{name}_add")([inputs, change])


def _residual_block(inputs, name: str):
    """3x3 convolution, LeakyReLU, 3x3 convolution, plus the input: the ResBlock of Fig. 1."""
    first = _convolution(inputs.shape[-1], 3, name=f"{name}_first", activation="leaky_relu")
    return _residual(inputs, first(inputs), name)


def _context_block(inputs, dilations: Sequence[int]):
    """Fig. 3: dilated convolutions side by side on compressed features, fused, plus the input."""
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


def _merge(features, encoded, name: str):
    """Features of the scale below, upsampled by a transposed convolution, and the encoder's."""
    channels = encoded.shape[-1]
    up = layers.Conv2DTranspose(channels, 2, strides=2, padding="same", name=f"{name}_up")
    features = layers.Concatenate(name=f"{name}_concat")([up(features), encoded])
    return _convolution(channels, 1, name=f"{name}_merge")(features)


def _offset_block(features, coarse, name: str):
    """The features that offsets are made from (Fig. 2, green), with those of the scale below.

    Offsets double with the resolution, and so do the features that they are made from.
    """

    def convolution(part, activation=None):
        layer_name = f"{name}_offset_{part}"
        return _convolution(OFFSET_FEATURES, 3, activation=activation, name=layer_name)

    guide = convolution("features", "leaky_relu")(features)
    if coarse is not None:
        coarse = BilinearUpsample(name=f"{name}_offset_up")(coarse)
        # Not layers.Rescaling, which wants TensorFlow whatever the backend.
        coarse = layers.Add(name=f"{name}_offset_double")([coarse, coarse])
        guide = layers.Concatenate(name=f"{name}_offset_concat")([guide, coarse])
        guide = convolution("transfer", "leaky_relu")(guide)
    return convolution("last")(guide)
