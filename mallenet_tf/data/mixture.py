"""Which source each sample comes from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_PERIOD = 1000


class Mixture:
    """Assigns samples to sources in proportion to their weights.

    The shares are exact over every 1000 samples and spread evenly within them: each sample comes
    from the source furthest below its share. Every source uses its samples in order and skips
    none.

    Args:
        weights: One positive number per source; only their ratios matter.

    Attributes:
        shares: The share of the samples of each source, float64, sum 1.

    Raises:
        ValueError: If there is no weight, or one is not positive or below 1/1000 of their sum.
    """

    def __init__(self, weights: Sequence[float]):
        if not weights or not all(0 < weight < float("inf") for weight in weights):
            raise ValueError(f"Weights must be positive numbers. Received: weights={weights}")
        self.shares = np.asarray(weights, np.float64) / np.sum(weights)
        sources = np.empty(_PERIOD, np.int64)
        used = np.zeros(len(weights))
        for position in range(_PERIOD):
            sources[position] = np.argmax(self.shares * (position + 1) - used)
            used[sources[position]] += 1
        if used.min() < 1:
            raise ValueError(
                f"A source must have at least 1/{_PERIOD} of all weight. Received: "
                f"weights={list(weights)}"
            )
        self._sources = sources
        self._positions = [np.flatnonzero(sources == source) for source in range(len(weights))]

    def source_of(self, number: tf.Tensor) -> tf.Tensor:
        """Returns the index of the source of sample `number`."""
        return tf.gather(tf.constant(self._sources), number % _PERIOD)

    def count_before(self, source: int, number: int) -> int:
        """Returns how many samples before `number` come from `source`."""
        positions = self._positions[source]
        periods, rest = divmod(number, _PERIOD)
        return periods * len(positions) + int(np.searchsorted(positions, rest))

    def number_of(self, source: int, index: tf.Tensor) -> tf.Tensor:
        """Returns the number, among all samples, of sample `index` of `source`."""
        positions = tf.constant(self._positions[source])
        count = len(self._positions[source])
        return index // count * _PERIOD + tf.gather(positions, index % count)
