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
from mallenet_tf.data.noise import NoiseModel
from mallenet_tf.data.random_numbers import sample_seed, stream_key, wanted_numbers
from mallenet_tf.data.sources.frame_sequences import VideoSource

_log = logging.getLogger(__name__)


class Source(Protocol):
    """What the pipeline asks of a source of patches, clean or in pairs."""

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
        """Clean patches in order, uint8 [patch_size, patch_size, channels], without end.

        With twice the channels they are pairs: the noisy patch's channels, then the clean one's.
        """


def training_dataset(
    sources: Sequence[Source],
    noise: NoiseModel | None,
    *,
    batch_size: int,
    patch_size: int,
    channels: int = 3,
    frames: int = 1,
    seed: int = 0,
    start_step: int = 0,
    shard_index: int = 0,
    shard_count: int = 1,
    splits: int = 1,
) -> tf.data.Dataset:
    """Builds the endless data set of training batches.

    Args:
        sources: `ImageFolder`, `Leaves`, `PairFolder` or anything like them.
        noise: What makes the network's input from a clean patch; None if all sources have pairs,
            whose noisy patch is the input.
        batch_size: Samples in one step, over all workers and replicas.
        patch_size: Height and width of a sample, >= 1.
        channels: 3 for colour, 1 for gray.
        frames: Of a sample, odd. With more than 1 every source must be one of videos, as
            `FrameSequences` and `MovingScenes` are.
        seed: Every sample is a pure function of this and its number.
        start_step: Step to begin with.
        shard_index: This worker; it makes one contiguous part of every batch.
        shard_count: Number of workers.
        splits: Elements that the worker's part of a step is cut into, one per local replica.

    Returns:
        Data set of (noisy input, clean image), float32, [batch_size / (shard_count * splits),
        patch_size, patch_size, channels]; clean images are in [0, 1]. The input has the channels of
        all frames, the oldest first, then the noise's planes; the clean image is the middle frame.

    Raises:
        ValueError: for sizes that do not divide, no sources, or other values out of range; for
            clean patches without noise, or pairs with noise planes, which nobody knows; for
            several frames of a source of single images.
        FileNotFoundError, UnreadableImageError: from the sources.
    """
    part = Slice(batch_size, start_step, shard_index, shard_count, splits)
    if patch_size < 1:
        raise ValueError(f"Patches have at least one pixel. Received: patch_size={patch_size}")
    if channels not in (1, 3):
        raise ValueError(f"Images have 1 or 3 channels. Received: channels={channels}")
    if frames < 1 or frames % 2 == 0:
        raise ValueError(f"A window has a middle frame. Received: frames={frames}")
    if not sources:
        raise ValueError(f"Training needs a source of images. Received: sources={sources}")
    _log.info("Training data: %s", describe(sources))
    with tf.device("CPU:0"):
        samples = _samples(sources, noise, part, patch_size, channels, frames, seed)
        batches = samples.batch(part.per_element, drop_remainder=True)
        return batches.prefetch(tf.data.AUTOTUNE)


def describe(sources: Sequence[Source]) -> str:
    """One line that says what the samples come from and in which shares."""
    shares = Schedule([source.weight for source in sources]).shares
    return "; ".join(
        f"{share:.1%} {source.describe()}" for share, source in zip(shares, sources, strict=True)
    )


def _samples(
    sources: Sequence[Source],
    noise: NoiseModel | None,
    part: Slice,
    patch_size: int,
    channels: int,
    frames: int,
    seed: int,
) -> tf.data.Dataset:
    """The part's samples in order: (noisy input, clean image)."""
    schedule = Schedule([source.weight for source in sources])

    def stream(index: int, source: Source) -> tf.data.Dataset:
        def wanted(rank: tf.Tensor) -> tf.Tensor:
            return part.contains(schedule.number_of(index, rank))

        first = schedule.rank(index, part.first)
        source_seed = stream_key(seed, f"source {index}")
        if frames == 1:
            patches = source.patches(first, wanted, patch_size, channels, source_seed)
        else:
            video = _checked_video(source, frames)
            patches = video.windows(first, wanted, patch_size, channels, source_seed, frames)
        ranks = wanted_numbers(first, wanted)
        numbers = ranks.map(lambda rank: schedule.number_of(index, rank))
        paired = frames == 1 and patches.element_spec.shape[-1] == 2 * channels
        _check_noise(noise, paired, source)
        finish = _finish_function(noise, paired, frames, seed)
        return tf.data.Dataset.zip((numbers, patches)).map(
            finish, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )

    streams = [stream(index, source) for index, source in enumerate(sources)]
    if len(streams) == 1:
        return streams[0]
    return tf.data.Dataset.choose_from_datasets(streams, part.numbers().map(schedule.source_of))


def _checked_video(source: Source, frames: int) -> VideoSource:
    if not isinstance(source, VideoSource):
        raise ValueError(
            f"A network that takes {frames} frames learns from videos: FrameSequences or "
            f"MovingScenes. Received: sources with {source}"
        )
    return source


def _check_noise(noise: NoiseModel | None, paired: bool, source: Source) -> None:
    if noise is None and not paired:
        raise ValueError(
            f"Clean images need a noise model to train on. Received: noise=None, sources={source}"
        )
    if noise is not None and paired and noise.extra_channels:
        raise ValueError(
            "Nobody knows the noise parameters of real pairs; train without planes. "
            f"Received: noise={noise}, sources={source}"
        )


def _finish_function(
    noise: NoiseModel | None, paired: bool, frames: int, seed: int
) -> Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Returns the pure function from (number, uint8 patch) to (noisy input, clean image)."""
    symmetry_key, noise_key = stream_key(seed, "symmetry"), stream_key(seed, "noise")

    def finish(number: tf.Tensor, patch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        turned = random_symmetry(patch, sample_seed(symmetry_key, number))
        pixels = tf.ensure_shape(tf.cast(turned, tf.float32) / 255.0, patch.shape)
        if paired:
            noisy, clean = tf.split(pixels, 2, axis=-1)
            return noisy, clean
        assert noise is not None  # checked by _check_noise
        noisy = noisy_window(noise, pixels, frames, sample_seed(noise_key, number))
        return noisy, tf.split(pixels, frames, axis=-1)[frames // 2]

    return finish


def noisy_window(noise: NoiseModel, window: tf.Tensor, frames: int, seed: tf.Tensor) -> tf.Tensor:
    """Adds noise to the frames of a window, with the same parameters for all of them.

    Args:
        noise: The noise model.
        window: float32 [height, width, frames * channels] in [0, 1].
        frames: How many.
        seed: int64 [2].

    Returns:
        float32 [height, width, frames * channels + noise.extra_channels]: the noisy frames, then
        the planes of the middle one's noise (deformable_kernels.txt estimates the level from "the
        intensity value of the reference frame").
    """
    # To the noise the frames are one tall image.
    tall = noise.apply(tf.concat(tf.split(window, frames, axis=-1), 0), seed)
    noisy = tf.split(tall, frames, axis=0)
    channels = window.shape[-1] // frames
    images = [frame[..., :channels] for frame in noisy]
    return tf.concat([*images, noisy[frames // 2][..., channels:]], -1)
