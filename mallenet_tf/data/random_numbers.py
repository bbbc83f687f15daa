"""Seeds: every random draw is a pure function of (seed, purpose, number)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

# On the host, where tf.data runs, this is Philox by a kernel; naming it "philox" spends thirty
# small operations on every draw instead.
ALGORITHM = "auto_select"

Shape = Sequence[int]


def stream_key(seed: int, purpose: str) -> int:
    """A 63-bit key for one purpose; different purposes get unrelated streams."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def sample_seed(key: int, number: tf.Tensor) -> tf.Tensor:
    """Seed, int64 [2], of one numbered thing in the stream of `key`."""
    return tf.stack([tf.constant(key, tf.int64), tf.cast(number, tf.int64)])


def fold(seed: tf.Tensor, number: int) -> tf.Tensor:
    """Seed, int64 [2], for the number-th draw made with `seed`."""
    # The first half of a seed is a 63-bit hash: neighbours of it are as good as unrelated.
    return seed + tf.constant([number + 1, 0], tf.int64)


def wanted_numbers(first: int, wanted: Callable[[tf.Tensor], tf.Tensor]) -> tf.data.Dataset:
    """Data set of those of the int64 numbers first, first + 1, ... for which `wanted` is true."""
    return tf.data.Dataset.range(first, np.iinfo(np.int64).max).filter(wanted)


def made_from_numbers(
    first: int,
    wanted: Callable[[tf.Tensor], tf.Tensor],
    make: Callable[[tf.Tensor], tf.Tensor],
) -> tf.data.Dataset:
    """Data set of `make` of each of the `wanted_numbers`, in order, several made at once."""
    numbers = wanted_numbers(first, wanted)
    return numbers.map(make, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


class Draws:
    """A sequence of independent random draws that is a pure function of one seed.

    Args:
        seed: int64 [2].
    """

    def __init__(self, seed: tf.Tensor):
        self._seed = seed
        self._count = 0

    def _next(self) -> tf.Tensor:
        self._count += 1
        return fold(self._seed, self._count)

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0) -> tf.Tensor:
        """float32, uniform in [low, high)."""
        return tf.random.stateless_uniform(shape, self._next(), low, high, alg=ALGORITHM)

    def log_uniform(self, shape: Shape, low: float, high: float) -> tf.Tensor:
        """float32 whose logarithm is uniform between those of low and high."""
        return tf.exp(self.uniform(shape, math.log(low), math.log(high)))

    def power_law(self, shape: Shape, low: float, high: float, exponent: float) -> tf.Tensor:
        """float32 in [low, high) with density proportional to x^-exponent, exponent > 1."""
        ends = low ** (1.0 - exponent), high ** (1.0 - exponent)
        return self.uniform(shape, *sorted(ends)) ** (1.0 / (1.0 - exponent))

    def normal(self, shape: Shape) -> tf.Tensor:
        """float32, standard normal."""
        return tf.random.stateless_normal(shape, self._next(), alg=ALGORITHM)

    def heavy_tailed(self, shape: Shape) -> tf.Tensor:
        """float32, Laplace distribution of variance 1."""
        signed = self.uniform(shape, -1.0, 1.0)
        return -tf.sign(signed) * tf.math.log1p(-tf.abs(signed) * 0.999) / math.sqrt(2.0)

    def integers(self, shape: Shape, low: int, high: int) -> tf.Tensor:
        """int32, uniform in [low, high)."""
        return tf.random.stateless_uniform(shape, self._next(), low, high, tf.int32, alg=ALGORITHM)

    def directions(self, count: int) -> tf.Tensor:
        """float32 [count, 2], unit vectors of uniform direction."""
        angle = self.uniform([count], 0.0, 2.0 * math.pi)
        return tf.stack([tf.cos(angle), tf.sin(angle)], 1)

    def permutation(self, count: int) -> tf.Tensor:
        """int32 [count], the numbers from 0 in random order."""
        return tf.argsort(self.uniform([count]), stable=True)
