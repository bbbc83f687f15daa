"""Upsampling between the levels of the pyramid (malleconv.txt, section 3.4)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("mallenet_tf")
class BilinearUpsample(keras.layers.Layer):
    """Doubles height and width by bilinear interpolation at half-pixel centres.

    Computes what `tf.image.resize(..., "bilinear")` does. Keras's own `UpSampling2D` cannot be
    traced for images of unknown size, and every exported network needs that.

    Input shape:
        `[N, H, W, C]`.

    Output shape:
        `[N, 2 * H, 2 * W, C]`.

    Example:
        >>> BilinearUpsample()(keras.ops.ones((1, 4, 3, 16))).shape
        TensorShape([1, 8, 6, 16])
    """

    def call(self, inputs):
        return _double_width(_double_height(inputs))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        height, width = (None if size is None else 2 * size for size in (height, width))
        return (batch, height, width, channels)


def _double_height(images):
    above = ops.concatenate([images[:, :1], images[:, :-1]], axis=1)
    below = ops.concatenate([images[:, 1:], images[:, -1:]], axis=1)
    rows = ops.stack([0.75 * images + 0.25 * above, 0.75 * images + 0.25 * below], axis=2)
    _, height, width, channels = ops.shape(images)
    return ops.reshape(rows, (-1, 2 * height, width, channels))


def _double_width(images):
    left = ops.concatenate([images[:, :, :1], images[:, :, :-1]], axis=2)
    right = ops.concatenate([images[:, :, 1:], images[:, :, -1:]], axis=2)
    columns = ops.stack([0.75 * images + 0.25 * left, 0.75 * images + 0.25 * right], axis=3)
    _, height, width, channels = ops.shape(images)
    return ops.reshape(columns, (-1, height, 2 * width, channels))
