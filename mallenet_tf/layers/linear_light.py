"""Conversion between sRGB and linear light, for networks that filter in linear light."""

import keras
from keras import ops

from mallenet_tf.common import srgb
from mallenet_tf.common.types import Shape, Tensor


@keras.saving.register_keras_serializable("mallenet_tf")
class SrgbToLinear(keras.layers.Layer):
    """Converts sRGB values to linear light; negative values keep their sign.

    Input shape:
        Any.

    Output shape:
        The same.

    Example:
        >>> SrgbToLinear()(keras.ops.ones((1, 4, 4, 3))).shape
        TensorShape([1, 4, 4, 3])
    """

    def call(self, inputs: Tensor) -> Tensor:
        return srgb.to_linear(inputs, ops)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)


@keras.saving.register_keras_serializable("mallenet_tf")
class LinearToSrgb(keras.layers.Layer):
    """Converts linear light to sRGB values; negative values keep their sign.

    Source: deformable_kernels.txt, equation 8.

    Input shape:
        Any.

    Output shape:
        The same.

    Example:
        >>> LinearToSrgb()(keras.ops.ones((1, 4, 4, 3))).shape
        TensorShape([1, 4, 4, 3])
    """

    def call(self, inputs: Tensor) -> Tensor:
        return srgb.to_srgb(inputs, ops)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)
