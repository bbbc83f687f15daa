"""Attention along channels, rows and columns (adfnet.txt, equation 4)."""

import keras
from keras import layers, ops

from mallenet_tf.common.types import Shape, Tensor


@keras.saving.register_keras_serializable("mallenet_tf")
class MultiDimensionAttention(layers.Layer):
    """Weights features by their averages over an image, over its rows and over its columns.

    With a(x) = 2 * sigmoid(average of x), which is 1 for an average of 0: y = x * a(x) for each
    channel, and the result is y + y * a(x) for each row + y * a(x) for each column. The layer has
    no weights.

    Source: adfnet.txt, equation 4 and the sum in equation 5, which leave out the factor of 2.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1.

    Output shape:
        The same.

    Example:
        >>> MultiDimensionAttention()(keras.ops.ones((1, 32, 32, 16))).shape
        TensorShape([1, 32, 32, 16])
    """

    def call(self, inputs: Tensor) -> Tensor:
        # In float32: sums over a whole image overflow float16.
        exact = ops.cast(inputs, "float32")

        def attention(axes: tuple[int, int]) -> Tensor:
            average = ops.mean(exact, axis=axes, keepdims=True)
            return ops.cast(2.0 * ops.sigmoid(average), inputs.dtype)

        channels, rows, columns = attention((1, 2)), attention((2, 3)), attention((1, 3))
        return inputs * channels * (1.0 + rows + columns)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)
