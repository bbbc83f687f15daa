"""Prepared data sets as training sources: read at random from disk, in bounded memory."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from mallenet_tf.common.errors import UserError
from mallenet_tf.data.datasets.builders import make_builder
from mallenet_tf.data.datasets.records import Records
from mallenet_tf.data.numbering import Interleaving
from mallenet_tf.data.random_numbers import ALGORITHM, derive_key, sample_seed
from mallenet_tf.data.sources.base import InterleavedSource, SampleShape
from mallenet_tf.data.sources.gray import pillow_gray

_log = logging.getLogger(__name__)

_Images: TypeAlias = list[tf.Tensor]  # (image,), or (noisy, clean): uint8 [height, width, 3]


def open_records(name: str, data_dir: str | None, split: str) -> Records:
    """Opens a data set that `python -m mallenet_tf.data.prepare` has prepared.

    Args:
        name: Name in the catalog, with a variant after a slash if it has several.
        data_dir: Folder of prepared data sets; None for the default of TensorFlow Datasets.
        split: The split, as TensorFlow Datasets names it.

    Raises:
        UserError: If the name is unknown, the data set is not prepared, or it is prepared in
            another file format than ArrayRecord.
        ValueError: If there is no such split.
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

    The names and pixels equal those that `image_io.load_images` gives for the same files.

    Args:
        records: From `open_records`.
        channels: 3 for RGB, 1 for gray.

    Raises:
        ValueError: If the data set holds pairs.
    """
    if "image" not in records.features:
        raise ValueError(f"A data set of single images is needed. Received: {records.name}, pairs")
    for index in range(len(records)):
        example = records.example(tf.constant(index))
        image = example["image"] if channels == 3 else pillow_gray(example["image"])
        yield example["name"].numpy().decode(), image.numpy()


@dataclasses.dataclass(frozen=True)
class PreparedImages(InterleavedSource):
    """Random crops of a prepared data set, of clean images or pairs.

    Images are read and decoded when their crops are needed; only crops are kept. Decoding costs
    more than cropping, so each decoded image gives several crops. Every image is used once per
    epoch, regardless of its size, in an order that changes with the epoch; crop positions are
    uniform. Images smaller than the patch get reflect padding.

    Attributes:
        name: Name in the catalog, with a variant after a slash, such as `sidd_medium/blocks512`.
        data_dir: Folder of prepared data sets; None for the default of TensorFlow Datasets.
        split: For example "train", "train+validation" or "train[:90%]".
        weight: Share of the samples, relative to the other sources.
        crops_per_image: Crops of an image each time it is decoded.
        images_at_once: Number of images that are open at once. Memory holds that many times
            `crops_per_image` crops, and some more that are prefetched.

    Raises:
        ValueError: If a number is below 1.
    """

    name: str
    data_dir: str | None = None
    split: str = "train"
    crops_per_image: int = 4
    images_at_once: int = 64

    def __post_init__(self) -> None:
        if self.crops_per_image < 1 or self.images_at_once < 1:
            raise ValueError(
                "An image must give a crop, and one at least be open. Received: "
                f"crops_per_image={self.crops_per_image}, images_at_once={self.images_at_once}"
            )

    @functools.cached_property
    def records(self) -> Records:
        """The examples.

        Raises:
            UserError, ValueError: See `open_records`.
        """
        return open_records(self.name, self.data_dir, self.split)

    @property
    def paired(self) -> bool:
        return "clean" in self.records.features

    def describe(self) -> str:
        return f"{len(self.records)} images of {self.name}, {self.split}"

    def interleaving(self, shape: SampleShape) -> Interleaving:
        return Interleaving(self.images_at_once, self.crops_per_image)

    def image_function(self, shape: SampleShape, seed: int) -> Callable[[tf.Tensor], _Images]:
        """See `InterleavedSource.image_function`.

        Images e N to (e + 1) N - 1 of N are all of them once, in an order that changes with e.
        """
        records, count, key = self.records, len(self.records), derive_key(seed, "order")
        names = [name for name in ("image", "noisy", "clean") if name in records.features]

        def images(number: tf.Tensor) -> _Images:
            epoch, position = number // count, number % count
            last = tf.constant(count - 1, tf.int64)
            index = tf.random.experimental.index_shuffle(position, sample_seed(key, epoch), last)
            example = records.example(index)
            return [_extend(example[name], shape.patch_size) for name in names]

        return images

    def crop_function(
        self, shape: SampleShape, seed: int
    ) -> Callable[[_Images, tf.Tensor], tf.Tensor]:
        """See `InterleavedSource.crop_function`; pairs are cut at one place and stacked."""
        key, size = derive_key(seed, "place"), shape.patch_size

        def crop(images: _Images, number: tf.Tensor) -> tf.Tensor:
            draw = tf.random.stateless_uniform(
                [2], sample_seed(key, number), dtype=tf.float64, alg=ALGORITHM
            )
            corners = tf.shape(images[0])[:2] - size + 1
            corner = tf.unstack(tf.cast(draw * tf.cast(corners, tf.float64), tf.int32))
            cut = [tf.slice(image, [*corner, 0], [size, size, 3]) for image in images]
            if shape.channels == 1:
                cut = [pillow_gray(patch) for patch in cut]
            return tf.ensure_shape(tf.concat(cut, -1), [size, size, shape.channels * len(cut)])

        return crop


def _extend(image: tf.Tensor, min_size: int) -> tf.Tensor:
    """Extends an image as `image_bank.extend` does."""

    def indices(size: tf.Tensor) -> tf.Tensor:
        turned = tf.range(tf.maximum(size, min_size)) % (2 * size)
        return tf.minimum(turned, 2 * size - 1 - turned)

    def extended() -> tf.Tensor:
        height, width = tf.unstack(tf.shape(image)[:2])
        return tf.gather(tf.gather(image, indices(height)), indices(width), axis=1)

    return tf.cond(tf.reduce_any(tf.shape(image)[:2] < min_size), extended, lambda: image)


def prepared_mix(
    splits: Mapping[str, str], data_dir: str | None = None, **settings: int
) -> list[PreparedImages]:
    """Returns sources of those data sets of a mix that are prepared.

    Args:
        splits: The split of each data set by its name, such as {"div2k_hr": "train+validation"}.
        data_dir: Folder of prepared data sets; None for the default of TensorFlow Datasets.
        **settings: Further attributes of `PreparedImages`.

    Returns:
        A source for each data set that is prepared, weighted by its number of images, so that all
        images are used equally often. The others are logged, with the command that prepares them.

    Raises:
        UserError: If none is prepared.
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
        _log.warning("The mix leaves out a data set: %s", reason)
    total = sum(source.weight for source in found)
    shares = ", ".join(f"{source.name} {source.weight / total:.1%}" for source in found)
    _log.info("The mix: %s of %d images", shares, total)
    return found
