"""Gray from RGB in TensorFlow: ITU-R 601 luma, once as Pillow rounds it and once in floats."""

from __future__ import annotations

import tensorflow as tf

from mallenet_tf.common.srgb import LUMA

# The same in 16-bit fixed point, as Pillow and so `image_io` compute it.
_FIXED_POINT_LUMA = (19595, 38470, 7471)


def pillow_gray(image: tf.Tensor) -> tf.Tensor:
    """Converts uint8 RGB to gray, [height, width, 1], as `image_io` reads it from a file."""
    weighted = tf.cast(image, tf.int32) * tf.constant(_FIXED_POINT_LUMA)
    total = tf.reduce_sum(weighted, -1, keepdims=True)
    return tf.cast((total + 0x8000) // 0x10000, tf.uint8)


def to_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """Returns a synthetic image, uint8 RGB, as it is for 3 channels and as gray for 1.

    Rounds the luma of floats; `pillow_gray` differs by 1 in some pixels, and samples stay as they
    are from version to version.
    """
    if channels == 3:
        return image
    luma = tf.tensordot(tf.cast(image, tf.float32), tf.constant(LUMA), 1)
    return tf.cast(tf.round(luma), tf.uint8)[..., None]
