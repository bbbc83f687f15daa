"""What every source of training samples shares: numbering, sharding and interleaving.

A source numbers its samples from 0, without end, and sample n is a pure function of the seed and of
n. So a worker makes the samples of its shard alone, and a run that resumes starts at any number.
A subclass of `Source` says what sample n is; a subclass of `InterleavedSource`, what image n is and
how a crop is cut from it.

TensorFlow is imported on use: training on Keras's JAX backend loads photographs without it.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import tensorflow as tf

    from mallenet_tf.data.numbering import Interleaving, SampleNumbers

    Sample: TypeAlias = tf.Tensor  # uint8 [patch_size, patch_size, channels of all frames]
    # uint8 [height, width, channels] with room for a crop; of pairs, one for each file.
    Image: TypeAlias = tf.Tensor | list[tf.Tensor]


@dataclasses.dataclass(frozen=True)
class SampleShape:
    """The shape of a training sample.

    Attributes:
        patch_size: Height and width in pixels.
        channels: 3 for color, 1 for gray.
        frames: Number of frames, odd; 1 for single images.
    """

    patch_size: int
    channels: int = 3
    frames: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source(abc.ABC):
    """What training samples are drawn from.

    Attributes:
        weight: Share of the samples, relative to the other sources.
    """

    weight: float = 1.0

    @property
    def paired(self) -> bool:
        """Whether samples are pairs: the noisy patch's channels, then those of the clean one."""
        return False

    @abc.abstractmethod
    def describe(self) -> str:
        """Returns one line that says what the samples are made of."""

    @abc.abstractmethod
    def sample_function(self, shape: SampleShape, seed: int) -> Callable[[tf.Tensor], Sample]:
        """Loads what samples are made of and returns the function that makes them.

        Args:
            shape: Shape of the samples; only a `VideoSource` has several frames.
            seed: Samples are a pure function of this and their number.

        Returns:
            A function from the number of a sample, an int64 scalar, to uint8 [patch_size,
            patch_size, frames * channels], the oldest frame first. Pairs have twice the channels.
        """

    def samples(
        self, shape: SampleShape, seed: int, numbers: SampleNumbers | None = None
    ) -> tf.data.Dataset:
        """Makes the samples of the given numbers, several at once.

        Args:
            shape: Shape of the samples.
            seed: Samples are a pure function of this and their number.
            numbers: Numbers of the samples; None for all from 0.

        Returns:
            Data set of what `sample_function` gives for the numbers, in order, without end.
        """
        import tensorflow as tf

        from mallenet_tf.data.numbering import SampleNumbers

        make = self.sample_function(shape, seed)
        chosen = (numbers or SampleNumbers()).dataset()
        return chosen.map(make, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


class VideoSource(Source):
    """A source whose samples may have several frames."""


class InterleavedSource(Source):
    """A source whose images cost more to make than to crop: each gives several samples.

    Several images are open at once and give one crop each in turn, so that neighboring samples come
    from different images.
    """

    @abc.abstractmethod
    def interleaving(self, shape: SampleShape) -> Interleaving:
        """Returns how many images are open at once, and how many crops each gives."""

    @abc.abstractmethod
    def image_function(self, shape: SampleShape, seed: int) -> Callable[[tf.Tensor], Image]:
        """Returns the function from the number of an image, an int64 scalar, to the image."""

    @abc.abstractmethod
    def crop_function(self, shape: SampleShape, seed: int) -> Callable[[Image, tf.Tensor], Sample]:
        """Returns the function from an image and the number of a sample to the sample."""

    def sample_function(self, shape: SampleShape, seed: int) -> Callable[[tf.Tensor], Sample]:
        """See `Source.sample_function`; each sample makes its image anew, `samples` does not."""
        image, crop = self.image_function(shape, seed), self.crop_function(shape, seed)
        order = self.interleaving(shape)
        return lambda number: crop(image(order.image_of(number)), number)

    def samples(
        self, shape: SampleShape, seed: int, numbers: SampleNumbers | None = None
    ) -> tf.data.Dataset:
        """See `Source.samples`; images whose crops all belong to other workers are not made."""
        import tensorflow as tf

        from mallenet_tf.data.numbering import ENDLESS, SampleNumbers

        chosen = numbers or SampleNumbers()
        order = self.interleaving(shape)
        image, crop = self.image_function(shape, seed), self.crop_function(shape, seed)
        channels = shape.channels * (2 if self.paired else 1)
        sample = tf.TensorSpec([shape.patch_size, shape.patch_size, channels], tf.uint8)

        def make_crops(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            own = order.crops_of(index)

            def cut() -> tf.Tensor:
                pixels = image(index)
                return tf.map_fn(
                    lambda number: crop(pixels, number), own, fn_output_signature=sample
                )

            needed = tf.reduce_any(chosen.contains(own))
            blank = tf.zeros([order.crops, *sample.shape], tf.uint8)
            return own, tf.cond(needed, cut, lambda: blank)

        images = tf.data.Dataset.range(order.first_image(chosen.first), ENDLESS)
        crops = images.map(make_crops, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        interleaved = crops.prefetch(tf.data.AUTOTUNE).interleave(
            lambda *crops: tf.data.Dataset.from_tensor_slices(crops),
            cycle_length=order.images,
            block_length=1,
        )
        kept = interleaved.filter(lambda number, _: chosen.contains(number))
        return kept.map(lambda _, pixels: pixels)
