"""Upsampling between the levels of the pyramid (malleconv.txt, section 3.4)."""

import keras

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
