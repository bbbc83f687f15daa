"""Many decoded images in one block of memory, and random crops of them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mallenet_tf.image_io.image_reader import UnreadableImageError, decode_image, image_size

if TYPE_CHECKING:
    import tensorflow as tf

Files = tuple[Path, ...]  # the files of one image: (clean,), or (noisy, clean) of equal size


@dataclasses.dataclass(frozen=True)
class ImageBank:
    """Decoded images, one after the other.

    Attributes:
        pixels: uint8 [bytes].
        layout: int64 [images, 3]: offset in `pixels`, height, width.
        channels: 1 or 3 per file of an image.
    """

    pixels: np.ndarray
    layout: np.ndarray
    channels: int

    def image(self, index: int) -> np.ndarray:
        """Returns one image, uint8 [height, width, channels], as a view."""
        offset, height, width = self.layout[index]
        end = offset + height * width * self.channels
        return self.pixels[offset:end].reshape(height, width, self.channels)


def extend(image: np.ndarray, min_size: int) -> np.ndarray:
    """Extends an image to at least `min_size` pixels a side, to the right and below.

    Mirrors it, edge pixels included, as often as it takes.
    """
    missing = [(0, max(0, min_size - side)) for side in image.shape[:2]]
    return np.pad(image, [*missing, (0, 0)], mode="symmetric") if np.any(missing) else image


def read_sizes(images: Sequence[Files]) -> tuple[dict[Files, tuple[int, int]], list[str]]:
    """Reads the headers of images.

    Args:
        images: The files of each image.

    Returns:
        (height, width) of each usable image, and one sentence about each other one.
    """
    sizes, complaints = {}, []
    for files in images:
        try:
            found = [image_size(file) for file in files]
        except UnreadableImageError as error:
            complaints.append(str(error))
            continue
        if len(set(found)) > 1:
            named = ", ".join(f"{file} {h}x{w}" for file, (h, w) in zip(files, found, strict=True))
            complaints.append(f"The files of a pair must have one size. Received: {named}")
        else:
            sizes[files] = found[0]
    return sizes, complaints


def load_bank(
    images: Sequence[Files], channels: int, min_size: int, max_memory: int
) -> tuple[ImageBank, list[str]]:
    """Decodes images in parallel.

    Args:
        images: The files of each image, equally many for all, stacked along the channels. They
            must exist.
        channels: 1 or 3, of each file.
        min_size: Images with a smaller side are extended to this.
        max_memory: Most bytes that the pixels may take; decoding may need as much again.

    Returns:
        The readable images, in order, and one sentence about each other one.

    Raises:
        ValueError: If the images need more memory.
    """
    sizes, complaints = read_sizes(images)
    stacked = channels * len(images[0])
    shapes = [(max(h, min_size), max(w, min_size), stacked) for h, w in sizes.values()]
    ends = np.cumsum([0, *(h * w * c for h, w, c in shapes)])
    if ends[-1] > max_memory:
        raise ValueError(
            f"The {len(shapes)} decoded images take {ends[-1]} bytes: raise max_memory, use "
            "fewer files, or PreparedImages, which reads from disk. "
            f"Received: max_memory={max_memory}"
        )
    pixels = np.empty(ends[-1], np.uint8)
    slots = [
        pixels[start:end].reshape(shape)
        for start, end, shape in zip(ends, ends[1:], shapes, strict=False)
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        errors = list(pool.map(_decode_into, slots, sizes))
    layout = [
        (start, height, width)
        for start, (height, width, _), error in zip(ends, shapes, errors, strict=False)
        if not error
    ]
    bank = ImageBank(pixels, np.asarray(layout, np.int64).reshape(-1, 3), stacked)
    return bank, complaints + [error for error in errors if error]


def _decode_into(slot: np.ndarray, files: Files) -> str:
    """Fills `slot` with the pixels of an image's files; returns what is wrong with them, or ""."""
    channels = slot.shape[2] // len(files)
    for index, file in enumerate(files):
        try:
            image = decode_image(file, channels)
        except UnreadableImageError as error:
            return str(error)
        own = slot[..., index * channels : (index + 1) * channels]
        missing = [(0, want - have) for want, have in zip(own.shape, image.shape, strict=True)]
        own[...] = np.pad(image, missing, mode="symmetric")
    return ""


def crop_function(
    bank: ImageBank, patch_size: int, seed: int, frames: int = 1, step: int = 1
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the function that makes crop number m.

    Crops e N to (e + 1) N - 1 of N images use every image once, in an order that changes with e;
    the place of a crop is uniform over its image.

    Args:
        bank: Images, none with a side below `patch_size`.
        patch_size: Height and width of a crop.
        seed: A crop is a pure function of this and its number.
        frames: Number of video frames in a crop, their channels stacked: `bank` holds the frames
            of a video one after the other, and all of a crop's are cut at the same place.
        step: Distance from one frame of a crop to the next.

    Returns:
        A function from an integer scalar to uint8 [patch_size, patch_size, frames * bank.channels],
        for use eagerly or inside `Dataset.map`.
    """
    import tensorflow as tf

    from mallenet_tf.data.random_numbers import ALGORITHM, derive_key, sample_seed

    # Captured, not embedded: a constant in a graph may not exceed 2 GB. On the host, because
    # that is where tf.data runs.
    with tf.device("CPU:0"):
        pixels, layout = tf.constant(bank.pixels), tf.constant(bank.layout)
    count, channels = len(bank.layout), bank.channels
    order_key, place_key = derive_key(seed, "order"), derive_key(seed, "place")

    @tf.autograph.experimental.do_not_convert
    def crop(number: tf.Tensor) -> tf.Tensor:
        number = tf.cast(number, tf.int64)
        epoch, position = number // count, number % count
        last = tf.constant(count - 1, tf.int64)
        index = tf.random.experimental.index_shuffle(position, sample_seed(order_key, epoch), last)
        offset, height, width = tf.unstack(tf.gather(layout, index))
        draw = tf.random.stateless_uniform(
            [2], sample_seed(place_key, number), dtype=tf.float64, alg=ALGORITHM
        )
        corners = tf.stack([height, width]) - patch_size + 1
        top, left = tf.unstack(tf.cast(draw * tf.cast(corners, tf.float64), tf.int64))
        # Whole rows are contiguous, so only they are copied, however large the image is.
        stride = width * channels

        def cut(frame: int) -> tf.Tensor:
            start = offset + (frame * step * height + top) * stride
            rows = tf.slice(pixels, [start], [patch_size * stride])
            rows = tf.reshape(rows, [patch_size, width, channels])
            return tf.slice(rows, [0, left, 0], [patch_size, patch_size, channels])

        patch = tf.stack([cut(frame) for frame in range(frames)], 2)
        return tf.reshape(patch, [patch_size, patch_size, frames * channels])

    return crop
