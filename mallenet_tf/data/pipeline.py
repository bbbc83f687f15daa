"""The training pipeline: numbered samples of several sources, augmented and made noisy.

Sample n is a pure function of (seed, n). A training that resumes at step s asks for start_step=s
and needs no iterator state; workers that share a batch need no coordination.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import tensorflow as tf

from mallenet_tf.data.augment import random_symmetry
from mallenet_tf.data.mixture import Mixture
from mallenet_tf.data.noise.base import NoiseModel
from mallenet_tf.data.numbering import SampleNumbers, Shard
from mallenet_tf.data.random_numbers import derive_key, sample_seed
from mallenet_tf.data.sources.base import SampleShape, Source, VideoSource

_log = logging.getLogger(__name__)


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
        sources: What samples are drawn from, in proportion to the sources' weights.
        noise: Makes the network's input from a clean patch. None if all sources have pairs, whose
            noisy patch is the input.
        batch_size: Samples of one step, over all workers and replicas.
        patch_size: Height and width of a sample, >= 1.
        channels: 3 for color, 1 for gray.
        frames: Number of frames in a sample, odd. With more than 1 every source must be a
            `VideoSource`, such as `FrameSequences` or `MovingScenes`.
        seed: Every sample is a pure function of this and its number.
        start_step: First step.
        shard_index: Index of this worker, which makes a contiguous shard of every batch.
        shard_count: Number of workers.
        splits: Number of elements that the worker's samples of a step are split into, one per
            local replica.

    Returns:
        Data set of (input, target), float32 [batch_size / (shard_count * splits), patch_size,
        patch_size, channels]. The input has the channels of all frames, the oldest first, then the
        noise level maps. The target is the clean middle frame, in [0, 1].

    Raises:
        ValueError: If sizes do not divide, values are out of range, or there is no source; if clean
            patches have no noise model, or pairs one with noise level maps, which pairs do not
            have; if several frames are asked of a source of single images.
        FileNotFoundError, UnreadableImageError: See the sources.
    """
    shard = Shard(batch_size, start_step, shard_index, shard_count, splits)
    if patch_size < 1:
        raise ValueError(f"Patches have at least one pixel. Received: patch_size={patch_size}")
    if channels not in (1, 3):
        raise ValueError(f"Images have 1 or 3 channels. Received: channels={channels}")
    if frames < 1 or frames % 2 == 0:
        raise ValueError(f"Samples have a middle frame. Received: frames={frames}")
    if not sources:
        raise ValueError(f"Training needs a source of images. Received: sources={sources}")
    _log.info("Training data: %s", describe(sources))
    shape = SampleShape(patch_size, channels, frames)
    mixture = Mixture([source.weight for source in sources])
    with tf.device("CPU:0"):
        streams = [
            _stream(source, index, mixture, shard, noise, shape, seed)
            for index, source in enumerate(sources)
        ]
        samples = streams[0]
        if len(streams) > 1:
            choices = shard.numbers().map(mixture.source_of)
            samples = tf.data.Dataset.choose_from_datasets(streams, choices)
        batches = samples.batch(shard.replica_batch_size, drop_remainder=True)
        return batches.prefetch(tf.data.AUTOTUNE)


def describe(sources: Sequence[Source]) -> str:
    """Returns one line that says what samples are drawn from and in which shares."""
    shares = Mixture([source.weight for source in sources]).shares
    return "; ".join(
        f"{share:.1%} {source.describe()}" for share, source in zip(shares, sources, strict=True)
    )


def _stream(
    source: Source,
    index: int,
    mixture: Mixture,
    shard: Shard,
    noise: NoiseModel | None,
    shape: SampleShape,
    seed: int,
) -> tf.data.Dataset:
    """Returns the shard's samples that come from one source, in order: (input, target)."""
    _check_source(source, noise, shape)
    numbers = SampleNumbers(
        mixture.count_before(index, shard.first),
        lambda number: shard.contains(mixture.number_of(index, number)),
    )
    samples = source.samples(shape, derive_key(seed, f"source {index}"), numbers)
    global_numbers = numbers.dataset().map(lambda number: mixture.number_of(index, number))
    return tf.data.Dataset.zip((global_numbers, samples)).map(
        _pair_function(noise, source.paired, shape.frames, seed),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )


def _check_source(source: Source, noise: NoiseModel | None, shape: SampleShape) -> None:
    if shape.frames > 1 and not isinstance(source, VideoSource):
        raise ValueError(
            f"A network that takes {shape.frames} frames learns from videos: FrameSequences or "
            f"MovingScenes. Received: sources with {source}"
        )
    if noise is None and not source.paired:
        raise ValueError(
            f"Clean images need a noise model to train on. Received: noise=None, sources={source}"
        )
    if noise is not None and source.paired and noise.noise_level_maps:
        raise ValueError(
            "The noise level of real pairs is not known; train without noise level maps. "
            f"Received: noise={noise}, sources={source}"
        )


def _pair_function(
    noise: NoiseModel | None, paired: bool, frames: int, seed: int
) -> Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Returns the pure function from (number, uint8 sample) to (input, target)."""
    symmetry_key, noise_key = derive_key(seed, "symmetry"), derive_key(seed, "noise")

    def pair(number: tf.Tensor, sample: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        turned = random_symmetry(sample, sample_seed(symmetry_key, number))
        pixels = tf.ensure_shape(tf.cast(turned, tf.float32) / 255.0, sample.shape)
        if noise is None or paired:
            noisy, clean = tf.split(pixels, 2, axis=-1)
            return noisy, clean
        return window_pair(noise, pixels, frames, sample_seed(noise_key, number))

    return pair


def window_pair(
    noise: NoiseModel, window: tf.Tensor, frames: int, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Adds noise to frames, with the same parameters for all of them.

    Args:
        noise: The noise model.
        window: float32 [height, width, frames * channels] in [0, 1].
        frames: Number of frames, odd.
        seed: int64 [2].

    Returns:
        The network's input, float32 [height, width, frames * channels + noise.noise_level_maps]:
        the noisy frames, then the noise level maps of the middle one (deformable_kernels.txt
        estimates the level from "the intensity value of the reference frame"). The target, float32
        [height, width, channels]: that of the middle frame.
    """
    # The noise model takes the frames as one tall image.
    tall = noise.training_pair(tf.concat(tf.split(window, frames, axis=-1), 0), seed)
    noisy, targets = (tf.split(image, frames, axis=0) for image in tall)
    channels, middle = window.shape[-1] // frames, frames // 2
    images = [frame[..., :channels] for frame in noisy]
    return tf.concat([*images, noisy[middle][..., channels:]], -1), targets[middle]
