"""Photographs as a training source: decoded once, kept in memory, cropped at random."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from mallenet_tf.data import images
from mallenet_tf.data.seeds import ALGORITHM, fold, sample_seed, stream_key

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ImageBank:
    """Decoded images, one behind the other.

    Attributes:
        pixels: uint8 [bytes].
        sizes: int64 [images, 3]: offset in `pixels`, height, width.
        channels: 1 or 3.
    """

    pixels: np.ndarray
    sizes: np.ndarray
    channels: int

    def image(self, index: int) -> np.ndarray:
        """One image, uint8 [height, width, channels]."""
        offset, height, width = self.sizes[index]
        end = offset + height * width * self.channels
        return self.pixels[offset:end].reshape(height, width, self.channels)


@dataclasses.dataclass(frozen=True)
class ImageFolder:
    """Random crops of image files.

    All images are decoded at the start, in parallel, and kept as uint8: a set must fit into
    memory (twice, for a moment). Every image is used once per epoch, whatever its size, in an
    order that changes from epoch to epoch; the place of the crop is uniform. An image smaller
    than the patch is extended by mirroring.

    Attributes:
        patterns: Folders, globs or files, as `images.list_images` takes them.
        weight: Share of the samples, relative to the other sources.
        on_error: "refuse" stops at files that cannot be decoded and names them; "skip" logs
            their names and goes on without them.
        max_memory: Most bytes that the decoded pixels may take.
    """

    patterns: str | Sequence[str | os.PathLike]
    weight: float = 1.0
    on_error: str = "refuse"
    max_memory: int = 4 * 2**30

    def __post_init__(self) -> None:
        if self.on_error not in ("refuse", "skip"):
            raise ValueError(f'on_error is "refuse" or "skip". Received: on_error={self.on_error}')

    def describe(self) -> str:
        """One line: where from, how many files, how many megapixels (from the headers)."""
        sizes, _ = _probe(images.list_images(self.patterns))
        megapixels = sum(height * width for height, width in sizes.values()) / 1e6
        patterns = self.patterns if isinstance(self.patterns, str) else ", ".join(
            map(str, self.patterns)
        )
        return f"{len(sizes)} images, {megapixels:.1f} megapixels from {patterns}"

    def load(self, channels: int, min_size: int = 1) -> ImageBank:
        """Decodes every file.

        Args:
            channels: 1 or 3.
            min_size: Images smaller than this are mirrored up to it.

        Raises:
            FileNotFoundError: if there are no files.
            UnreadableImageError: if files are unreadable and on_error is "refuse".
            ValueError: if no file is usable, or they need more than `max_memory`.
        """
        paths = images.list_images(self.patterns)
        sizes, bad = _probe(paths)
        shapes = {p: (max(h, min_size), max(w, min_size)) for p, (h, w) in sizes.items()}
        needed = sum(h * w * channels for h, w in shapes.values())
        if needed > self.max_memory:
            raise ValueError(
                f"The decoded images take {needed / 2**30:.2f} GiB, more than max_memory allows: "
                f"raise it or use fewer files. Received: max_memory={self.max_memory}"
            )
        pixels = np.empty(needed, np.uint8)
        ends = np.cumsum([h * w * channels for h, w in shapes.values()])
        jobs = [(p, end - h * w * channels, h, w)
                for (p, (h, w)), end in zip(shapes.items(), ends, strict=True)]

        def decode(job: tuple[Path, int, int, int]) -> str:
            path, offset, height, width = job
            try:
                image = images.decode_image(path, channels)
            except images.UnreadableImageError as error:
                return str(error)
            padding = [(0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0)]
            padded = np.pad(image, padding, mode="symmetric")
            pixels[offset : offset + padded.size] = padded.ravel()
            return ""

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            complaints = list(pool.map(decode, jobs))
        bad += [complaint for complaint in complaints if complaint]
        good = [job[1:] for job, complaint in zip(jobs, complaints, strict=True) if not complaint]
        self._report(bad, len(good))
        return ImageBank(pixels, np.asarray(good, np.int64), channels)

    def _report(self, bad: list[str], good: int) -> None:
        if bad and self.on_error == "refuse":
            raise images.UnreadableImageError(
                f"{len(bad)} image file(s) cannot be used; repair or remove them, or set "
                'on_error="skip". ' + " | ".join(bad[:10])
            )
        for complaint in bad:
            _log.warning("Skipped: %s", complaint)
        if not good:
            raise ValueError(
                f"Not one of {len(bad)} image files can be decoded. Received: "
                f"patterns={self.patterns}; the first: {bad[0]}"
            )

    def patches(
        self, first: int, wanted: Callable[[tf.Tensor], tf.Tensor], patch_size: int,
        channels: int, seed: int,
    ) -> tf.data.Dataset:
        """Crops number `first`, first + 1, ... for which `wanted` is true.

        Args:
            first: Number of the first crop.
            wanted: Maps an int64 scalar number to a boolean scalar.
            patch_size: Height and width of a crop.
            channels: 1 or 3.
            seed: Crops are a pure function of it and their number.

        Returns:
            Data set of uint8 [patch_size, patch_size, channels].
        """
        bank = self.load(channels, patch_size)
        crop = crop_function(bank, patch_size, seed)
        numbers = tf.data.Dataset.range(first, np.iinfo(np.int64).max).filter(wanted)
        return numbers.map(crop, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def crop_function(
    bank: ImageBank, patch_size: int, seed: int
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the pure function from a crop's number to its pixels (TensorFlow operations)."""
    # Captured, not embedded: a constant in a graph may not exceed 2 GB. On the host, because
    # that is where tf.data runs.
    with tf.device("CPU:0"):
        pixels, sizes = tf.constant(bank.pixels), tf.constant(bank.sizes)
    count, channels = len(bank.sizes), bank.channels
    order_key = stream_key(seed, "order")
    place_key = stream_key(seed, "place")

    def crop(number: tf.Tensor) -> tf.Tensor:
        number = tf.cast(number, tf.int64)
        index = tf.random.experimental.index_shuffle(
            number % count, sample_seed(order_key, number // count),
            tf.constant(count - 1, tf.int64),
        )
        offset, height, width = tf.unstack(tf.gather(sizes, index))
        place = sample_seed(place_key, number)
        top, left = (
            tf.random.stateless_uniform(
                [], fold(place, axis), 0, size - patch_size + 1, tf.int64, alg=ALGORITHM
            )
            for axis, size in enumerate((height, width))
        )
        stride = width * channels
        rows = tf.slice(pixels, [offset + top * stride], [patch_size * stride])
        rows = tf.reshape(rows, tf.stack([patch_size, width, channels]))
        patch = tf.slice(rows, tf.stack([0, left, 0]), [patch_size, patch_size, channels])
        return tf.ensure_shape(patch, [patch_size, patch_size, channels])

    return crop


def _probe(paths: list[Path]) -> tuple[dict[Path, tuple[int, int]], list[str]]:
    """Sizes of the readable files, complaints about the others."""
    sizes, bad = {}, []
    for path in paths:
        try:
            sizes[path] = images.image_size(path)
        except images.UnreadableImageError as error:
            bad.append(str(error))
    return sizes, bad
