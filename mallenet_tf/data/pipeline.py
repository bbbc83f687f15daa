"""The training pipeline: numbered samples from several sources, augmented and made noisy.

Sample n is a pure function of (seed, n). Training that resumes at step s therefore asks for
start_step=s and needs no iterator state, and workers that share a batch need no coordination.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import tensorflow as tf

from mallenet_tf.data.augment import random_symmetry
from mallenet_tf.data.mixing import Schedule, Slice
from mallenet_tf.data.noise import GaussianNoise
from mallenet_tf.data.seeds import sample_seed, stream_key

_log = logging.getLogger(__name__)


class Source(Protocol):
    """What the pipeline asks of a source of clean patches."""

    @property
    def weight(self) -> float:
        """Share of the samples, relative to the other sources."""

    def describe(self) -> str:
        """One line for the log."""

    def patches(
        self,
        first: int,
        wanted: Callable[[tf.Tensor], tf.Tensor],
        patch_size: int,
        channels: int,
        seed: int,
    ) -> tf.data.Dataset:
        """Clean patches in order, uint8 [patch_size, patch_size, channels], without end."""


def training_dataset(
    sources: Sequence[Source],
    noise: GaussianNoise,
    *,
    batch_size: int,
    patch_size: int,
    channels: int = 3,
    seed: int = 0,
    start_step: int = 0,
    shard_index: int = 0,
    shard_count: int = 1,
    splits: int = 1,
) -> tf.data.Dataset:
    """Builds the endless data set of training batches.

    Args:
        sources: `ImageFolder`, `Leaves` or anything like them.
        noise: What makes the network's input from a clean patch.
        batch_size: Samples in one step, over all workers and replicas.
        patch_size: Height and width of a sample, >= 1.
        channels: 3 for colour, 1 for gray.
        seed: Every sample is a pure function of this and its number.
        start_step: Step to begin with.
        shard_index: This worker; it makes one contiguous part of every batch.
        shard_count: Number of workers.
        splits: Elements that the worker's part of a step is cut into, one per local replica.

    Returns:
        Data set of (noisy input, clean image), float32, [batch_size / (shard_count * splits),
        patch_size, patch_size, channels (+ 1 for a sigma plane in the input)]; clean images
        are in [0, 1].

    Raises:
        ValueError: for sizes that do not divide, no sources, or other values out of range.
        FileNotFoundError, UnreadableImageError: from the sources.
    """
    part = Slice(batch_size, start_step, shard_index, shard_count, splits)
    if patch_size < 1:
        raise ValueError(f"Patches have at least one pixel. Received: patch_size={patch_size}")
    if channels not in (1, 3):
        raise ValueError(f"Images have 1 or 3 channels. Received: channels={channels}")
    if not sources:
        raise ValueError(f"Training needs a source of images. Received: sources={sources}")
    _log.info("Training data: %s", describe(sources))
    with tf.device("CPU:0"):
        patches = _clean_patches(sources, part, patch_size, channels, seed)
        finish = _finish_function(noise, seed)
        samples = tf.data.Dataset.zip((part.numbers(), patches)).map(
            finish, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        batches = samples.batch(part.per_element, drop_remainder=True)
        return batches.prefetch(tf.data.AUTOTUNE)


def describe(sources: Sequence[Source]) -> str:
    """One line that says what the samples come from and in which shares."""
    shares = Schedule([source.weight for source in sources]).shares
    return "; ".join(
        f"{share:.1%} {source.describe()}" for share, source in zip(shares, sources, strict=True)
    )


def _clean_patches(
    sources: Sequence[Source], part: Slice, patch_size: int, channels: int, seed: int
) -> tf.data.Dataset:
    schedule = Schedule([source.weight for source in sources])

    def stream(index: int, source: Source) -> tf.data.Dataset:
        def wanted(rank: tf.Tensor) -> tf.Tensor:
            return part.contains(schedule.number_of(index, rank))

        first = schedule.rank(index, part.first)
        source_seed = stream_key(seed, f"source {index}")
        return source.patches(first, wanted, patch_size, channels, source_seed)

    streams = [stream(index, source) for index, source in enumerate(sources)]
    if len(streams) == 1:
        return streams[0]
    return tf.data.Dataset.choose_from_datasets(streams, part.numbers().map(schedule.source_of))


def _finish_function(
    noise: GaussianNoise, seed: int
) -> Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Returns the pure function from (number, uint8 patch) to (noisy input, clean image)."""
    symmetry_key, noise_key = stream_key(seed, "symmetry"), stream_key(seed, "noise")

    def finish(number: tf.Tensor, patch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        turned = random_symmetry(patch, sample_seed(symmetry_key, number))
        clean = tf.ensure_shape(tf.cast(turned, tf.float32) / 255.0, patch.shape)
        return noise.apply(clean, sample_seed(noise_key, number)), clean

    return finish
