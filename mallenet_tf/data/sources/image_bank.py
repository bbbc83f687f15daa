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

Files = tuple[Path, ...]  # the files of one image: (clean,), or (noisy, clean) of one size


@dataclasses.dataclass(frozen=True)
class ImageBank:
    """Decoded images, one behind the other.

    Attributes:
        pixels: uint8 [bytes].
        layout: int64 [images, 3]: offset in `pixels`, height, width.
        channels: 1 or 3 per file of an image.
    """

    pixels: np.ndarray
    layout: np.ndarray
    channels: int

    def image(self, index: int) -> np.ndarray:
        """One image, uint8 [height, width, channels], a view."""
        offset, height, width = self.layout[index]
        end = offset + height * width * self.channels
        return self.pixels[offset:end].reshape(height, width, self.channels)


def probe(images: Sequence[Files]) -> tuple[dict[Files, tuple[int, int]], list[str]]:
    """Reads headers: (height, width) of the usable images, complaints about the others."""
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
    """Decodes files in parallel.

    Args:
        images: The files of each image, as many for one as for another; they must exist. The
            channels of an image's files are stacked.
        channels: 1 or 3, of each file.
        min_size: Images with a side below this are extended to it by mirroring.
        max_memory: Most bytes that the pixels may take; the decoder may need as much again.

    Returns:
        The readable images, in order, and one sentence about each that is not.

    Raises:
        ValueError: if the images need more memory.
    """
    sizes, complaints = probe(images)
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
    """Fills a slot with the files' pixels, mirrored where it is larger; returns a complaint."""
    channels = slot.shape[2] // len(files)
    for index, file in enumerate(files):
        try:
            image = decode_image(file, channels)
        except UnreadableImageError as error:
            return str(error)
        part = slot[..., index * channels : (index + 1) * channels]
        missing = [(0, want - have) for want, have in zip(part.shape, image.shape, strict=True)]
        part[...] = np.pad(image, missing, mode="symmetric")
    return ""


def crop_function(
    bank: ImageBank, patch_size: int, seed: int, frames: int = 1, step: int = 1
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the function that makes crop number m.

    Crops m = e N to (e + 1) N - 1 of N images use every image once, in an order of their own;
    the place of a crop is uniform over the image.

    Args:
        bank: Images, none with a side below `patch_size`.
        patch_size: Height and width of a crop.
        seed: A crop is a pure function of it and its number.
        frames: With more than 1 every image is followed in the bank by the next frames of a video,
            and a crop is the same place in so many of them, their channels stacked.
        step: From one frame of a crop to the next.

    Returns:
        A function from an integer scalar to uint8 [patch_size, patch_size, frames * bank.channels],
        to be called eagerly or inside `Dataset.map`.
    """
    import tensorflow as tf

    from mallenet_tf.data.random_numbers import ALGORITHM, sample_seed, stream_key

    # Captured, not embedded: a constant in a graph may not exceed 2 GB. On the host, because
    # that is where tf.data runs.
    with tf.device("CPU:0"):
        pixels, layout = tf.constant(bank.pixels), tf.constant(bank.layout)
    count, channels = len(bank.layout), bank.channels
    order_key, place_key = stream_key(seed, "order"), stream_key(seed, "place")

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
        room = tf.stack([height, width]) - patch_size + 1
        top, left = tf.unstack(tf.cast(draw * tf.cast(room, tf.float64), tf.int64))
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
