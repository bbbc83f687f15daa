"""Prepared data sets as training sources: read at random from disk, memory bounded."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from mallenet_tf.common.errors import UserError
from mallenet_tf.data.datasets.builders import make_builder
from mallenet_tf.data.datasets.records import Records
from mallenet_tf.data.random_numbers import ALGORITHM, sample_seed, stream_key

_log = logging.getLogger(__name__)

# Luma in 16-bit fixed point, as Pillow and so `image_io.decode_image` compute it.
_LUMA = (19595, 38470, 7471)


def open_records(name: str, data_dir: str | None, split: str) -> Records:
    """The examples of a data set that `python -m mallenet_tf.data.prepare` has prepared.

    Args:
        name: Of the catalog, with a variant behind a slash if it has several.
        data_dir: Where prepared data sets are; None for TensorFlow Datasets' own place.
        split: Which split, as TensorFlow Datasets names them.

    Raises:
        UserError: if the name is unknown, the data set is not prepared, or it is prepared in
            another file format than ArrayRecord.
        ValueError: if there is no such split.
    """
    builder = make_builder(name, data_dir)
    if not builder.info.initialized:
        where = f" --data_dir={data_dir}" if data_dir else ""
        raise UserError(
            f"{name} is not prepared in {builder.data_dir}: python -m mallenet_tf.data.prepare "
            f"{name} --manual_dir=FOLDER_WITH_THE_DOWNLOAD{where}"
        )
    if builder.info.file_format != tfds.core.FileFormat.ARRAY_RECORD:
        raise UserError(
            f"Training reads at random, from ArrayRecord files; prepare {name} again. "
            f"Received: {builder.info.file_format.value} files in {builder.data_dir}"
        )
    return Records(builder.info, split)


def prepared_images(records: Records, channels: int = 3) -> Iterator[tuple[str, np.ndarray]]:
    """Yields (name, uint8 [height, width, channels]) of a set of single images, in order.

    The names and pixels are those that `images.load_images` gives for the same files.

    Args:
        records: As `open_records` gives them.
        channels: 3 for RGB, 1 for gray.

    Raises:
        ValueError: for a data set of pairs.
    """
    if "image" not in records.features:
        raise ValueError(f"{records.name} holds pairs, no single images.")
    for index in range(len(records)):
        example = records.example(tf.constant(index))
        image = example["image"] if channels == 3 else _gray(example["image"])
        yield example["name"].numpy().decode(), image.numpy()


@dataclasses.dataclass(frozen=True)
class PreparedImages:
    """Random crops of a prepared data set, clean images or pairs.

    Images are read and decoded when their crops are needed; nothing else is kept. Because decoding
    costs more than cropping, `crops_per_image` crops are made of each image that is decoded, and
    neighbouring samples are from different images: `images_at_once` of them give one crop each in
    turn until each has given its share. Every image is used once per epoch, whatever its size, in
    an order that changes from epoch to epoch; the place of a crop is uniform. An image smaller than
    the patch is extended by mirroring.

    Attributes:
        name: Of the catalog, with a variant behind a slash, as `sidd_medium/blocks512`.
        data_dir: Where prepared data sets are; None for TensorFlow Datasets' own place.
        split: Of TensorFlow Datasets' kind, for example "train", "train+validation", "train[:90%]".
        weight: Share of the samples, relative to the other sources.
        crops_per_image: Crops made of an image each time it is decoded.
        images_at_once: Images whose crops alternate; so many times `crops_per_image` crops are held
            in memory.
    """

    name: str
    data_dir: str | None = None
    split: str = "train"
    weight: float = 1.0
    crops_per_image: int = 4
    images_at_once: int = 64

    def __post_init__(self) -> None:
        if self.crops_per_image < 1 or self.images_at_once < 1:
            raise ValueError(
                "An image gives crops, and one at least is open. Received: "
                f"crops_per_image={self.crops_per_image}, images_at_once={self.images_at_once}"
            )

    @functools.cached_property
    def records(self) -> Records:
        """The examples.

        Raises:
            UserError, ValueError: as `open_records`.
        """
        return open_records(self.name, self.data_dir, self.split)

    def describe(self) -> str:
        """One line for the log."""
        return f"{len(self.records)} images of {self.name}, {self.split}"

    def patches(
        self,
        first: int,
        wanted: Callable[[tf.Tensor], tf.Tensor],
        patch_size: int,
        channels: int,
        seed: int,
    ) -> tf.data.Dataset:
        """Crops number `first`, first + 1, ... for which `wanted` is true.

        With G images at once and K crops of each, crop m is crop (m mod G K) div G of image
        (m div G K) G + m mod G, counted over the epochs.

        Args:
            first: Number of the first crop.
            wanted: Maps int64 numbers to booleans, any shape.
            patch_size: Height and width of a crop.
            channels: 1 or 3.
            seed: Crops are a pure function of it and their number.

        Returns:
            Data set of uint8 [patch_size, patch_size, channels], or twice the channels for pairs:
            the noisy patch's, then the clean one's.
        """
        at_once, each = self.images_at_once, self.crops_per_image
        window = at_once * each
        keys = [key for key in ("image", "noisy", "clean") if key in self.records.features]
        shape = [patch_size, patch_size, channels * len(keys)]
        read = _read_function(self.records, keys, patch_size, seed)
        place_key = stream_key(seed, "place")

        def make(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            start = position // at_once * window + position % at_once
            numbers = start + at_once * tf.range(each, dtype=tf.int64)

            def crops() -> tf.Tensor:
                images = read(position)
                return tf.map_fn(
                    lambda number: _crop(images, sample_seed(place_key, number), shape),
                    numbers,
                    fn_output_signature=tf.TensorSpec(shape, tf.uint8),
                )

            # An image whose crops all belong to other workers is not read.
            used = tf.reduce_any(wanted(numbers) & (numbers >= first))
            return numbers, tf.cond(used, crops, lambda: tf.zeros([each, *shape], tf.uint8))

        positions = tf.data.Dataset.range(first // window * at_once, np.iinfo(np.int64).max)
        made = positions.map(make, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        ordered = made.prefetch(tf.data.AUTOTUNE).interleave(
            lambda *crops: tf.data.Dataset.from_tensor_slices(crops),
            cycle_length=at_once,
            block_length=1,
        )
        kept = ordered.filter(lambda number, _: (number >= first) & wanted(number))
        return kept.map(lambda _, crop: crop)


def _read_function(
    records: Records, keys: list[str], min_size: int, seed: int
) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    """Returns the function that reads image number m.

    Images m = e N to (e + 1) N - 1 of N are all of them, in an order of their own.

    Args:
        records: Where from.
        keys: The features that hold an example's images.
        min_size: Images smaller than this are mirrored up to it.
        seed: The order is a pure function of it.

    Returns:
        A function from an int64 scalar to uint8 [height, width, 3] of each key.
    """
    count, order_key = len(records), stream_key(seed, "order")

    def read(number: tf.Tensor) -> list[tf.Tensor]:
        epoch, position = number // count, number % count
        last = tf.constant(count - 1, tf.int64)
        index = tf.random.experimental.index_shuffle(position, sample_seed(order_key, epoch), last)
        example = records.example(index)
        return [_mirrored(example[key], min_size) for key in keys]

    return read


def _mirrored(image: tf.Tensor, min_size: int) -> tf.Tensor:
    """Extends an image to the right and below by mirroring, as often as it takes."""

    def indices(size: tf.Tensor) -> tf.Tensor:
        turned = tf.range(tf.maximum(size, min_size)) % (2 * size)
        return tf.minimum(turned, 2 * size - 1 - turned)

    def extend() -> tf.Tensor:
        height, width = tf.unstack(tf.shape(image)[:2])
        return tf.gather(tf.gather(image, indices(height)), indices(width), axis=1)

    return tf.cond(tf.reduce_any(tf.shape(image)[:2] < min_size), extend, lambda: image)


def _crop(images: list[tf.Tensor], seed: tf.Tensor, shape: list[int]) -> tf.Tensor:
    """Cuts all images at one random place and stacks their channels to `shape`."""
    draw = tf.random.stateless_uniform([2], seed, dtype=tf.float64, alg=ALGORITHM)
    room = tf.shape(images[0])[:2] - shape[0] + 1
    corner = tf.cast(draw * tf.cast(room, tf.float64), tf.int32)
    cut = [tf.slice(image, [*tf.unstack(corner), 0], [shape[0], shape[1], 3]) for image in images]
    if shape[2] == len(images):
        cut = [_gray(image) for image in cut]
    return tf.ensure_shape(tf.concat(cut, -1), shape)


def _gray(image: tf.Tensor) -> tf.Tensor:
    """Luma of uint8 RGB, as Pillow computes it."""
    weighted = tf.reduce_sum(tf.cast(image, tf.int32) * tf.constant(_LUMA), -1, keepdims=True)
    return tf.cast((weighted + 0x8000) // 0x10000, tf.uint8)


def prepared_mix(
    splits: Mapping[str, str], data_dir: str | None = None, **settings: int
) -> list[PreparedImages]:
    """Sources of those data sets of a mix that are prepared, each image equally often.

    Args:
        splits: From a data set's name to the split of it, for example {"div2k_hr":
            "train+validation"}.
        data_dir: Where prepared data sets are; None for TensorFlow Datasets' own place.
        **settings: Further attributes of `PreparedImages`.

    Returns:
        A source for each data set that is there, weighted by its number of images. Those that are
        not there are logged, with the command that prepares them.

    Raises:
        UserError: if none is there.
    """
    found, missing = [], []
    for name, split in splits.items():
        source = PreparedImages(name, data_dir, split, **settings)
        try:
            found.append(dataclasses.replace(source, weight=float(len(source.records))))
        except UserError as error:
            missing.append(str(error))
    if not found:
        raise UserError("; ".join(missing) or f"The mix is empty. Received: splits={splits}")
    for reason in missing:
        _log.warning("The mix goes on without a part: %s", reason)
    total = sum(source.weight for source in found)
    shares = ", ".join(f"{source.name} {source.weight / total:.1%}" for source in found)
    _log.info("The mix: %s of %d images", shares, total)
    return found
