"""sRGB to linear light and back, for networks that filter in linear light."""

import keras
from keras import ops

from mallenet_tf.common import srgb


@keras.saving.register_keras_serializable("mallenet_tf")
class SrgbToLinear(keras.layers.Layer):
    """sRGB values to linear light; negative ones keep their sign.

    Input shape:
        Any.

    Output shape:
        The same.

    Example:
        >>> SrgbToLinear()(keras.ops.ones((1, 4, 4, 3))).shape
        TensorShape([1, 4, 4, 3])
    """

    def call(self, inputs):
        return srgb.to_linear(inputs, ops)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)


@keras.saving.register_keras_serializable("mallenet_tf")
class LinearToSrgb(keras.layers.Layer):
    """Linear light to sRGB values (deformable_kernels.txt, equation 8), for negative ones as well.

    Input shape:
        Any.

    Output shape:
        The same.

    Example:
        >>> LinearToSrgb()(keras.ops.ones((1, 4, 4, 3))).shape
        TensorShape([1, 4, 4, 3])
    """

    def call(self, inputs):
        return srgb.to_srgb(inputs, ops)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)
