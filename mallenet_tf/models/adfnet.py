"""ADFNet: an encoder and decoder with dynamic convolutions, at one scale and at several.

Source: adfnet.txt, "Adaptive Dynamic Filtering Network for Image Denoising" (Shen et al., AAAI
2023), "Method" and Figs. 2 to 4. What the paper leaves out follows the authors' code. The paper's
7.65 M parameters leave out the deformable convolutions' own kernels and biases; with them it has
8.63 M. Its 13.9 G multiply-adds at 128x128 leave out the same and the dynamic kernels' products,
and count each output of a transposed convolution as if it saw the whole kernel; counted as the
others here, they are 12.3 G.
"""

import functools

import keras
from keras import layers

from mallenet_tf.layers import (
    SEKG,
    DeformableConv,
    DynamicConv,
    MultiDimensionAttention,
    PerPixelConv,
)
from mallenet_tf.layers.deformable_convolution import OFFSET_ALLOWANCE
from mallenet_tf.models.denoising_model import DenoisingModel, image_input

WIDTH_FACTORS = (1, 2, 4, 8)  # of the four scales
REDUCTIONS = (1, 1, 2, 2)  # of the channels in front of the dilated convolutions
DILATIONS = (1, 3, 5)
OFFSET_FEATURES = 32
# Keras's own "leaky_relu" has the slope of the authors' code, 0.2.
_convolution = functools.partial(layers.Conv2D, padding="same")
# Table 4: which scales have dynamic blocks. The lowest scale belongs to neither side; that it has
# static blocks with "encoder" and dynamic ones with "all" fits the table's parameters.
DYNAMIC_PARTS = {
    "decoder": {"decoder"},
    "encoder": {"encoder"},
    "all": {"encoder", "bottom", "decoder"},
}


@keras.saving.register_keras_serializable("mallenet_tf")
class ADFNet(DenoisingModel):
    """Convolution blocks going down, dynamic convolution blocks going up, at four scales.

    Each scale of the encoder and the lowest one has a convolution block (CB) and a multi-scale one
    (MCB); each of the decoder a dynamic convolution block (DCB) and a multi-scale dynamic one
    (MDCB). Features of the scale below are added to the encoder's. The output is the input plus
    what the network finds. ADFNet* is twice as wide.

    The blocks average over the whole image, so that a tile's result depends on the tile.

    Args:
        width: channels at the full resolution, a multiple of 8; 32 in the paper, 64 for ADFNet*.
        dynamic_part: where the dynamic blocks are: "decoder" as published, "encoder" or "all"
            (Table 4).
        dynamic_convolution: False for CBs in place of the DCBs (Table 4, w/o DCB).
        multi_scale_dynamic: False for MCBs in place of the MDCBs (Table 4, w/o MDCB).
        integration: False for no multi-dimension feature integration (Table 4, w/o MFI).
        image_channels: 3 for colour, 1 for gray.
        noise_conditioned: True for a noise level plane, sigma / 255, as the last input channel;
            a number for so many planes. The paper's networks have none.
        trained_sigma: kept with the model, for a network trained at one noise level.

    Input shape:
        `[N, H, W, image_channels]`, and as many more channels as planes; H and W multiples
        of `size_multiple`, 8.

    Output shape:
        `[N, H, W, image_channels]`, not clipped.

    Raises:
        ValueError: for a width that is no multiple of 8 or an unknown `dynamic_part`.

    Example:
        >>> ADFNet()(keras.ops.ones((1, 64, 48, 3))).shape
        TensorShape([1, 64, 48, 3])
    """

    size_multiple = 8

    def __init__(
        self,
        width: int = 32,
        dynamic_part: str = "decoder",
        dynamic_convolution: bool = True,
        multi_scale_dynamic: bool = True,
        integration: bool = True,
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

        def blocks(features, scale, part):
            dynamic = part in DYNAMIC_PARTS[dynamic_part]
            stage = f"scale{scale}_{part}"
            block = _dynamic_block if dynamic and dynamic_convolution else _convolution_block
            features = block(features, stage)
            return _multi_scale_block(
                features,
                features.shape[-1] // REDUCTIONS[scale],
                dynamic and multi_scale_dynamic,
                integration,
                f"{stage}_scales",
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
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
        }
        super().__init__(inputs, denoised, options, name)
        self.receptive_field_radius = receptive_field_radius()


def receptive_field_radius() -> int:
    """How far, in pixels to one side, an input pixel reaches into the output.

    Averages over the image aside, and while learnt offsets stay within `OFFSET_ALLOWANCE` features
    of their scale; nothing enforces that.
    """
    first = 3  # convolutions of a CB; a DCB's are no more
    # Convolutions for the offsets, tap and offset, generation of kernels, dilation, convolution.
    multi_scale = 2 + 1 + OFFSET_ALLOWANCE + 1 + max(DILATIONS) + 1
    down, up = 2, 3
    strides = [2**scale for scale in range(len(WIDTH_FACTORS))]
    blocks = 2 * sum(strides) - strides[-1]  # of encoder and decoder, and once at the lowest scale
    return 2 + blocks * (first + multi_scale) + sum(strides) * (down + up)


def _convolution_block(inputs, name: str):
    """CB: three 3x3 convolutions, LeakyReLU behind the second, plus the input."""
    channels = inputs.shape[-1]
    features = _convolution(channels, 3, name=f"{name}_conv0")(inputs)
    features = _convolution(channels, 3, name=f"{name}_conv1", activation="leaky_relu")(features)
    features = _convolution(channels, 3, name=f"{name}_conv2")(features)
    return layers.Add(name=f"{name}_add")([inputs, features])


def _dynamic_block(inputs, name: str):
    """DCB, Fig. 3 (b): convolution, dynamic convolution, LeakyReLU, convolution, plus the input."""
    channels = inputs.shape[-1]
    features = _convolution(channels, 3, name=f"{name}_conv0")(inputs)
    features = DynamicConv(name=f"{name}_dynamic")(features)
    features = layers.LeakyReLU(0.2, name=f"{name}_relu")(features)
    features = _convolution(channels, 3, name=f"{name}_conv1")(features)
    return layers.Add(name=f"{name}_add")([inputs, features])


def _multi_scale_block(inputs, reduced: int, dynamic: bool, integration: bool, name: str):
    """MDCB or MCB, Fig. 4: a deformable convolution, then filters at three dilations, integrated.

    Dynamic: the kernels come from the deformable convolution's features, are shared by the
    dilations and filter the inputs. Static: convolutions filter those features themselves.
    """
    channels = inputs.shape[-1]
    guide = _convolution(OFFSET_FEATURES, 3, name=f"{name}_guide", activation="leaky_relu")(inputs)
    deformable = DeformableConv(activation="leaky_relu", name=f"{name}_deformable")
    features = deformable(inputs, guide)

    def reduce(features):
        if reduced == channels:
            return features
        return _convolution(reduced, 1, name=f"{name}_reduce")(features)

    if dynamic:
        kernels = SEKG(reduced, name=f"{name}_sekg")(features)
        base = reduce(inputs)
    else:
        base = reduce(_convolution(channels, 3, name=f"{name}_conv")(features))
    scales = [base]
    for dilation in DILATIONS:
        convolution = _convolution(
            reduced,
            3,
            dilation_rate=1 if dynamic else dilation,
            activation="leaky_relu",
            name=f"{name}_conv{dilation}",
        )
        filtered = base
        if dynamic:
            filtered = PerPixelConv(dilation, name=f"{name}_dynamic{dilation}")(base, kernels)
        scales.append(convolution(filtered))
    features = layers.Concatenate(name=f"{name}_concat")(scales)
    if integration:
        features = MultiDimensionAttention(name=f"{name}_attention")(features)
    features = _convolution(channels, 1, name=f"{name}_fuse")(features)
    return layers.Add(name=f"{name}_add")([inputs, features])
