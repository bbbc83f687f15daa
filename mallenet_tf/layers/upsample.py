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
        return _double(_double(inputs, axis=1), axis=2)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        height, width = (None if size is None else 2 * size for size in (height, width))
        return (batch, height, width, channels)


def _double(images, axis):
    """Doubles one side: each pixel becomes two, a quarter of the way to its neighbours."""

    def part(start, stop):
        return images[(slice(None),) * axis + (slice(start, stop),)]

    before = ops.concatenate([part(0, 1), part(0, -1)], axis)
    after = ops.concatenate([part(1, None), part(-1, None)], axis)
    pairs = ops.stack([0.75 * images + 0.25 * before, 0.75 * images + 0.25 * after], axis + 1)
    shape = [-1, *ops.shape(images)[1:]]
    shape[axis] = 2 * shape[axis]
    return ops.reshape(pairs, shape)
