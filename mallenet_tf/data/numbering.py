"""Which samples a worker makes, and in which order images give their crops.

Samples are numbered from 0 over the whole training: step s of a batch of B holds the samples
s * B to (s + 1) * B - 1. Nothing here holds state. A run that resumes at step s, or a worker that
makes one shard of every batch, computes the numbers it needs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

ENDLESS = np.iinfo(np.int64).max  # the end of data sets that have none


@dataclasses.dataclass(frozen=True)
class Shard:
    """The samples of every batch that one worker makes, a contiguous range.

    Attributes:
        batch_size: Samples in a global batch.
        start_step: First step.
        shard_index: Index of this worker.
        shard_count: Number of workers.
        splits: Number of elements that the worker's samples of a step are split into, one per
            local replica.

    Raises:
        ValueError: If a value is out of range, or the batch does not divide evenly.
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
                "The index of a worker must be below the number of workers. Received: "
                f"shard_index={self.shard_index}, shard_count={self.shard_count}"
            )
        if self.batch_size % (self.shard_count * self.splits):
            raise ValueError(
                "The batch must divide evenly over workers and replicas. Received: "
                f"batch_size={self.batch_size}, shard_count={self.shard_count}, "
                f"splits={self.splits}"
            )

    @property
    def worker_batch_size(self) -> int:
        """Samples of one step that this worker makes."""
        return self.batch_size // self.shard_count

    @property
    def replica_batch_size(self) -> int:
        """Samples in one element of the data set."""
        return self.worker_batch_size // self.splits

    @property
    def first(self) -> int:
        """Number of the worker's first sample."""
        return self.start_step * self.batch_size + self.shard_index * self.worker_batch_size

    def contains(self, number: tf.Tensor) -> tf.Tensor:
        """Returns whether the worker makes a sample; `number` must be at least `first`."""
        position = number % self.batch_size - self.shard_index * self.worker_batch_size
        return (position >= 0) & (position < self.worker_batch_size)

    def numbers(self) -> tf.data.Dataset:
        """Returns the numbers of the worker's samples, int64, without end."""
        return SampleNumbers(self.first, self.contains).dataset()


@dataclasses.dataclass(frozen=True)
class SampleNumbers:
    """Increasing numbers of samples, without end.

    Attributes:
        first: The lowest number that may be among them.
        selected: Maps int64 numbers to booleans of the same shape; None selects all numbers.
    """

    first: int = 0
    selected: Callable[[tf.Tensor], tf.Tensor] | None = None

    def contains(self, number: tf.Tensor) -> tf.Tensor:
        """Returns for each number whether it is one of these."""
        from_first = number >= self.first
        return from_first if self.selected is None else from_first & self.selected(number)

    def dataset(self) -> tf.data.Dataset:
        """Returns the numbers as a data set of int64 scalars."""
        numbers = tf.data.Dataset.range(self.first, ENDLESS)
        return numbers if self.selected is None else numbers.filter(self.selected)

    def components(self, count: int) -> SampleNumbers:
        """Returns the numbers of what samples are made of, `count` components each.

        Sample n is made of the components n * count to (n + 1) * count - 1.
        """
        return SampleNumbers(self.first * count, lambda number: self.contains(number // count))


@dataclasses.dataclass(frozen=True)
class Interleaving:
    """The order in which images that are open at once give their crops.

    Of G open images each gives one crop in turn, until each has given K crops; then come the next G
    images. Crop m is number (m mod G K) div G of the crops of image (m div G K) G + m mod G.

    Attributes:
        images: Images that are open at once, G.
        crops: Crops of each image, K.
    """

    images: int
    crops: int

    def image_of(self, number: tf.Tensor) -> tf.Tensor:
        """Returns the number of the image that crop `number` is cut from."""
        return number // (self.images * self.crops) * self.images + number % self.images

    def first_image(self, first: int) -> int:
        """Returns the first image of the group that crop `first` belongs to."""
        return first // (self.images * self.crops) * self.images

    def crops_of(self, image: tf.Tensor) -> tf.Tensor:
        """Returns the numbers of an image's crops, int64 [crops]."""
        start = image // self.images * self.images * self.crops + image % self.images
        return start + self.images * tf.range(self.crops, dtype=tf.int64)
