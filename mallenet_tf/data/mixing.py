"""Which samples a worker makes, and which source each of them comes from.

Samples are numbered from 0 over the whole training; step s of a batch of B holds the samples
s * B to (s + 1) * B - 1. Nothing here holds state: a run that resumes at step s, or a worker
that owns a slice of every batch, computes the numbers it wants.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_PERIOD = 1000


@dataclasses.dataclass(frozen=True)
class Slice:
    """The part of every batch that one worker makes.

    Attributes:
        batch_size: Samples in a global batch.
        start_step: First step.
        shard_index: This worker.
        shard_count: Workers; each makes one contiguous part of every batch.
        splits: Elements that the worker's part is cut into (one per local replica).
    """

    batch_size: int
    start_step: int = 0
    shard_index: int = 0
    shard_count: int = 1
    splits: int = 1

    def __post_init__(self) -> None:
        for name in ("batch_size", "shard_count", "splits"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1. Received: {name}={getattr(self, name)}")
        if self.start_step < 0:
            raise ValueError(f"Steps count from 0. Received: start_step={self.start_step}")
        if not 0 <= self.shard_index < self.shard_count:
            raise ValueError(
                "A worker's index must be below the number of workers. Received: "
                f"shard_index={self.shard_index}, shard_count={self.shard_count}"
            )
        if self.batch_size % (self.shard_count * self.splits):
            raise ValueError(
                "The batch must divide evenly over workers and replicas. Received: "
                f"batch_size={self.batch_size}, shard_count={self.shard_count}, "
                f"splits={self.splits}"
            )

    @property
    def per_worker(self) -> int:
        """Samples of one step made by this worker."""
        return self.batch_size // self.shard_count

    @property
    def per_element(self) -> int:
        """Samples in one element of the data set."""
        return self.per_worker // self.splits

    @property
    def first(self) -> int:
        """Number of the worker's first sample."""
        return self.start_step * self.batch_size + self.shard_index * self.per_worker

    def contains(self, number: tf.Tensor) -> tf.Tensor:
        """Whether the worker makes a sample (number >= first assumed)."""
        position = number % self.batch_size - self.shard_index * self.per_worker
        return (position >= 0) & (position < self.per_worker)

    def numbers(self) -> tf.data.Dataset:
        """The worker's sample numbers, int64, without end."""
        start = self.start_step * self.per_worker
        skipped = self.batch_size - self.per_worker
        offset = self.shard_index * self.per_worker
        counts = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
        return counts.map(lambda i: i + i // self.per_worker * skipped + offset)


class Schedule:
    """Says for every sample its source and its number within that source.

    The shares are exact over every 1000 samples and spread evenly within them (always the
    source that is furthest behind), so that batches differ little in their mix and every
    source uses its own samples in order, none left out.

    Args:
        weights: One positive number per source; only their ratios matter.

    Raises:
        ValueError: for no source, or a weight that is not positive or below 1/1000 of all.
    """

    def __init__(self, weights: Sequence[float]):
        if not weights or not all(0 < weight < float("inf") for weight in weights):
            raise ValueError(f"Weights must be positive numbers. Received: weights={weights}")
        self.shares = np.asarray(weights, np.float64) / np.sum(weights)
        owner = np.empty(_PERIOD, np.int64)
        used = np.zeros(len(weights))
        for position in range(_PERIOD):
            owner[position] = np.argmax(self.shares * (position + 1) - used)
            used[owner[position]] += 1
        if used.min() < 1:
            raise ValueError(
                f"A source must have at least 1/{_PERIOD} of all weight. Received: "
                f"weights={list(weights)}"
            )
        self._owner = owner
        self._positions = [np.flatnonzero(owner == source) for source in range(len(weights))]

    def source_of(self, number: tf.Tensor) -> tf.Tensor:
        """Index of the source of sample `number`."""
        return tf.gather(tf.constant(self._owner), number % _PERIOD)

    def rank(self, source: int, number: int) -> int:
        """How many samples before `number` come from `source`."""
        positions = self._positions[source]
        periods, rest = divmod(number, _PERIOD)
        return periods * len(positions) + int(np.searchsorted(positions, rest))

    def number_of(self, source: int, rank: tf.Tensor) -> tf.Tensor:
        """Number of the rank-th sample of `source`; the inverse of `rank`."""
        positions = tf.constant(self._positions[source])
        count = len(self._positions[source])
        return rank // count * _PERIOD + tf.gather(positions, rank % count)
