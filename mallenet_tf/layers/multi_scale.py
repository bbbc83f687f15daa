"""ADFNet's multi-scale blocks (adfnet.txt, Fig. 4, equations 1 to 5)."""

import functools
from typing import Any

import keras
from keras import layers

from mallenet_tf.common.types import Shape, Tensor
from mallenet_tf.layers.attention import MultiDimensionAttention
from mallenet_tf.layers.deformable_convolution import DeformableConv, offset_allowance
from mallenet_tf.layers.sekg import SEKG, PerPixelConv

DILATIONS = (1, 3, 5)
OFFSET_FEATURES = 32
# Keras's "leaky_relu" has the slope of the authors' code, 0.2.
_convolution = functools.partial(layers.Conv2D, padding="same")


def multi_scale_block(
    inputs: Tensor,
    reduced: int,
    dynamic: bool,
    averages: str | None,
    name: str,
    max_offset: float | None = None,
) -> Tensor:
    """Applies MDCB or MCB: a deformable convolution, filters at three dilations, integration.

    In an MDCB, kernels predicted from the deformable convolution's features, the same for all
    dilations, filter the inputs. In an MCB, convolutions filter those features.

    Args:
        inputs: `[N, H, W, C]`, C a multiple of 8.
        reduced: Number of channels before the dilated filters.
        dynamic: True for an MDCB, False for an MCB.
        averages: As of `MultiDimensionAttention`; None to leave it out.
        name: Prefix of the layers' names.
        max_offset: As of `DeformableConv`.

    Returns:
        `[N, H, W, C]`.
    """
    channels = inputs.shape[-1]
    guide = _convolution(OFFSET_FEATURES, 3, name=f"{name}_guide", activation="leaky_relu")(inputs)
    deformable = DeformableConv(
        activation="leaky_relu", max_offset=max_offset, name=f"{name}_deformable"
    )
    features = deformable(inputs, guide)

    def reduce(features: Tensor) -> Tensor:
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
    if averages:
        features = MultiDimensionAttention(averages, name=f"{name}_attention")(features)
    features = _convolution(channels, 1, name=f"{name}_fuse")(features)
    return layers.Add(name=f"{name}_add")([inputs, features])


def multi_scale_radius(max_offset: float | None) -> int:
    """Returns the pixels to one side that can influence a pixel of a multi-scale block's output."""
    # Convolutions for the offsets, tap, offset, kernel prediction, dilation, convolution.
    return 2 + 1 + offset_allowance(max_offset) + 1 + max(DILATIONS) + 1


@keras.saving.register_keras_serializable("mallenet_tf")
class MDCB(layers.Layer):
    """ADFNet's multi-scale dynamic convolution block, for any network.

    Kernels predicted from the features of a deformable convolution filter the input at dilations 1,
    3 and 5; a 3x3 convolution follows each. Attention along channels, rows and columns and a 1x1
    convolution integrate the scales, and the input is added.

    Source: adfnet.txt, "Multi-Scale Dynamic Convolution Block", Fig. 4 (a); Fig. 7 plugs three into
    RDN.

    Args:
        reduced: Number of channels before the dilated filters; None for that of the input.
        averages: As of `MultiDimensionAttention`; None to leave the attention out.
        max_offset: As of `DeformableConv`.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1, C a multiple of 8.

    Output shape:
        The same.

    Raises:
        ValueError: If C is not a multiple of 8, or `averages` is unknown.

    Example:
        >>> MDCB()(keras.ops.ones((1, 32, 32, 16))).shape
        TensorShape([1, 32, 32, 16])
    """

    def __init__(
        self,
        reduced: int | None = None,
        averages: str | None = "code",
        max_offset: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.reduced = reduced
        self.averages = averages
        self.max_offset = max_offset

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        reduced = self.reduced or channels
        inputs = keras.Input((None, None, channels), dtype=self.compute_dtype)
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.dtype_policy)
        try:
            outputs = multi_scale_block(
                inputs, reduced, True, self.averages, "scales", self.max_offset
            )
        finally:
            keras.config.set_dtype_policy(before)
        self.block = keras.Model(inputs, outputs, name="block")

    @property
    def receptive_field_radius(self) -> int:
        """Pixels to one side that can influence an output pixel, averages over the image aside."""
        return multi_scale_radius(self.max_offset)

    def call(self, inputs: Tensor) -> Tensor:
        return self.block(inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = {
            "reduced": self.reduced,
            "averages": self.averages,
            "max_offset": self.max_offset,
        }
        return {**super().get_config(), **config}
