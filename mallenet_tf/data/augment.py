"""Eight-fold augmentation by the symmetries of the square."""

from __future__ import annotations

import tensorflow as tf

from mallenet_tf.data.random_numbers import ALGORITHM

SYMMETRIES = 8


def apply_symmetry(image: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Applies one of the eight symmetries of the square.

    The bits of the index apply in this order: 1 transposes, 2 flips the rows (up and down), 4 flips
    the columns (left and right).

    Args:
        image: [size, size, channels].
        index: Integer scalar in [0, 8).

    Returns:
        Tensor of the same shape.
    """
    image, index = tf.convert_to_tensor(image), tf.convert_to_tensor(index)
    image = tf.cond(index % 2 >= 1, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    image = tf.cond(index % 4 >= 2, lambda: image[::-1], lambda: image)
    return tf.cond(index % 8 >= 4, lambda: image[:, ::-1], lambda: image)


def random_symmetry(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Applies one of the eight symmetries, each equally likely, chosen by `seed`, int64 [2]."""
    index = tf.random.stateless_uniform([], seed, 0, SYMMETRIES, tf.int32, alg=ALGORITHM)
    return apply_symmetry(image, index)
