"""Random numbers that are pure functions of a seed, a purpose and a number.

A key is a 63-bit hash of a run's seed and a purpose. A sample's seed is the pair (key, number of
the sample), what TensorFlow's stateless random operations take.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import tensorflow as tf

# On the host, where tf.data runs, this is Philox in one kernel; naming it "philox" would run thirty
# small operations for every call instead.
ALGORITHM = "auto_select"

Shape = Sequence[int]


def derive_key(seed: int, purpose: str) -> int:
    """Returns a 63-bit key; keys of different purposes give unrelated random numbers."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def sample_seed(key: int, number: tf.Tensor) -> tf.Tensor:
    """Returns the seed, int64 [2], of sample `number` under `key`."""
    return tf.stack([tf.constant(key, tf.int64), tf.cast(number, tf.int64)])


def fold_in(seed: tf.Tensor, number: int) -> tf.Tensor:
    """Derives the seed, int64 [2], of draw `number` from a sample's seed."""
    # The first half of a seed is a 63-bit hash: its neighbors are as good as unrelated to it.
    return seed + tf.constant([number + 1, 0], tf.int64)


class RandomGenerator:
    """Draws independent random numbers, each call a pure function of the seed and of its position.

    Args:
        seed: int64 [2].
    """

    def __init__(self, seed: tf.Tensor):
        self._seed = seed
        self._calls = 0

    def _next_seed(self) -> tf.Tensor:
        self._calls += 1
        return fold_in(self._seed, self._calls)

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0) -> tf.Tensor:
        """Draws float32 uniformly from [low, high)."""
        return tf.random.stateless_uniform(shape, self._next_seed(), low, high, alg=ALGORITHM)

    def chance(self, share: float) -> tf.Tensor:
        """Draws a bool that is true in this share of the draws."""
        return self.uniform([]) < share

    def log_uniform(self, shape: Shape, low: float, high: float) -> tf.Tensor:
        """Draws float32 whose logarithm is uniform between those of `low` and `high`."""
        return tf.exp(self.uniform(shape, math.log(low), math.log(high)))

    def power_law(self, shape: Shape, low: float, high: float, exponent: float) -> tf.Tensor:
        """Draws float32 from [low, high) with density proportional to x^-exponent, exponent > 1."""
        ends = low ** (1.0 - exponent), high ** (1.0 - exponent)
        return self.uniform(shape, *sorted(ends)) ** (1.0 / (1.0 - exponent))

    def normal(self, shape: Shape) -> tf.Tensor:
        """Draws float32 from the standard normal distribution."""
        return tf.random.stateless_normal(shape, self._next_seed(), alg=ALGORITHM)

    def laplace(self, shape: Shape) -> tf.Tensor:
        """Draws float32 from the Laplace distribution of variance 1, cut off at 4.9."""
        signed = self.uniform(shape, -1.0, 1.0)
        return -tf.sign(signed) * tf.math.log1p(-tf.abs(signed) * 0.999) / math.sqrt(2.0)

    def integers(self, shape: Shape, low: int, high: int) -> tf.Tensor:
        """Draws int32 uniformly from [low, high)."""
        seed = self._next_seed()
        return tf.random.stateless_uniform(shape, seed, low, high, tf.int32, alg=ALGORITHM)

    def unit_vectors(self, count: int) -> tf.Tensor:
        """Draws float32 [count, 2], (x, y) of unit vectors of uniform direction."""
        angle = self.uniform([count], 0.0, 2.0 * math.pi)
        return tf.stack([tf.cos(angle), tf.sin(angle)], 1)

    def permutation(self, count: int) -> tf.Tensor:
        """Draws int32 [count], the numbers from 0 in random order."""
        return tf.argsort(self.uniform([count]), stable=True)
