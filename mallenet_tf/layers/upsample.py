"""Upsampling between scales (malleconv.txt, section 3.4; sadnet.txt, equation 5)."""

import keras
import numpy as np

from mallenet_tf.common.types import Shape, Tensor
from mallenet_tf.ops import upsample


@keras.saving.register_keras_serializable("mallenet_tf")
class BilinearUpsample(keras.layers.Layer):
    """Doubles height and width by bilinear interpolation at half-pixel centers.

    Equals `tf.image.resize(..., "bilinear")`. Keras's `UpSampling2D` cannot be traced for images of
    unknown size, which exported networks need.

    Input shape:
        `[N, H, W, C]`.

    Output shape:
        `[N, 2 * H, 2 * W, C]`.

    Example:
        >>> BilinearUpsample()(keras.ops.ones((1, 4, 3, 16))).shape
        TensorShape([1, 8, 6, 16])
    """

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return upsample(inputs, training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        height, width = (None if size is None else 2 * size for size in (height, width))
        return (batch, height, width, channels)


@keras.saving.register_keras_serializable("mallenet_tf")
class OffsetUpsample(keras.layers.Layer):
    """Transfers the offsets and modulations of a deformable convolution to the next finer scale.

    "The upsampling function magnifies both the size and value of the previous offset maps";
    modulations, which are ratios, keep their value.

    Source: sadnet.txt, section 3.1, equation 5.

    Input shape:
        `[N, H, W, 3 * D]`: offsets down and to the right and a modulation before its sigmoid, D
        times, as `DeformableConv` predicts them.

    Output shape:
        `[N, 2 * H, 2 * W, 3 * D]`, modulations from 0 to 1.

    Example:
        >>> OffsetUpsample()(keras.ops.ones((1, 4, 3, 27))).shape
        TensorShape([1, 8, 6, 27])
    """

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        is_modulation = np.arange(inputs.shape[-1]) % 3 == 2
        values = keras.ops.where(is_modulation, keras.ops.sigmoid(inputs), 2.0 * inputs)
        return upsample(values, training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        height, width = (None if size is None else 2 * size for size in (height, width))
        return (batch, height, width, channels)
