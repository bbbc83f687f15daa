"""Still images set in motion: a source of videos that needs no videos."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import tensorflow as tf

from mallenet_tf.data.numbering import SampleNumbers
from mallenet_tf.data.random_numbers import RandomGenerator, derive_key, sample_seed
from mallenet_tf.data.sources.base import SampleShape, Source, VideoSource
from mallenet_tf.data.sources.leaves import Leaves

# Radius, in pixels, of the cubic interpolation that shifts layers.
_KERNEL_RADIUS = 2
# Random values along a side from which the outline of an object is interpolated.
_OUTLINE_CELLS = 5


@dataclasses.dataclass(frozen=True)
class MovingScenes(VideoSource):
    """Still images in motion: a moving background and objects that move in front of it.

    Each layer is a crop of `images` with its own constant velocity. All but the first are cut out
    along a smooth random outline that moves with them, so that they hide and uncover the layers
    below. The middle frame shows the unchanged crops; the others are shifted, by cubic
    interpolation for non-integer shifts.

    Attributes:
        images: The source of the layers: `Leaves`, `ImageFolder` or another source of clean images.
        weight: Share of the samples, relative to the other sources.
        layers: The background and the objects, >= 1; with 1 the whole image moves.
        speed: (lowest, highest) speed of a layer in pixels per frame, uniform between them; the
            direction is uniform too.
        room_for: Highest speed that the crops of the images leave room for; None for that of
            `speed`. Sources with the same room show the same middle frames at any speed.

    Raises:
        ValueError: If a value is out of range.
    """

    images: Source = dataclasses.field(default_factory=Leaves)
    layers: int = 2
    speed: tuple[float, float] = (0.0, 8.0)
    room_for: float | None = None

    def __post_init__(self) -> None:
        if self.layers < 1:
            raise ValueError(f"A scene has a background. Received: layers={self.layers}")
        if len(self.speed) != 2 or not 0 <= self.speed[0] <= self.speed[1] < math.inf:
            raise ValueError(
                "speed is a range (lowest, highest) in pixels per frame. "
                f"Received: speed={self.speed}"
            )
        if self.room_for is not None and self.room_for < self.speed[1]:
            raise ValueError(
                "There must be room for the highest speed. "
                f"Received: room_for={self.room_for}, speed={self.speed}"
            )

    def describe(self) -> str:
        low, high = self.speed
        return (
            f"{self.layers} layers, {low:g} to {high:g} pixels per frame, of "
            f"{self.images.describe()}"
        )

    def _layer_shape(self, shape: SampleShape) -> SampleShape:
        """Returns the shape of the crops that become layers, with room for their motion."""
        if self.images.paired:
            raise ValueError(
                f"Clean images can be set in motion, not pairs. Received: images={self.images}"
            )
        fastest = self.speed[1] if self.room_for is None else self.room_for
        margin = math.ceil(shape.frames // 2 * fastest) + _KERNEL_RADIUS
        return SampleShape(shape.patch_size + 2 * margin, shape.channels)

    def _motion_function(
        self, shape: SampleShape, seed: int
    ) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """Returns the function from a sample's number and its layers to the sample."""
        key = derive_key(seed, "motion")

        @tf.autograph.experimental.do_not_convert
        def move(number: tf.Tensor, layers: tf.Tensor) -> tf.Tensor:
            rng = RandomGenerator(sample_seed(key, number))
            return moving_window(rng, layers, self.speed, shape.patch_size, shape.frames)

        return move

    def sample_function(self, shape: SampleShape, seed: int) -> Callable[[tf.Tensor], tf.Tensor]:
        """See `Source.sample_function`; sample n is made of the images' samples `layers` n to
        `layers` (n + 1) - 1.

        Raises:
            ValueError: If the images come in pairs.
        """
        layer = self.images.sample_function(self._layer_shape(shape), derive_key(seed, "layers"))
        move = self._motion_function(shape, seed)

        def sample(number: tf.Tensor) -> tf.Tensor:
            first = number * self.layers
            return move(number, tf.stack([layer(first + index) for index in range(self.layers)]))

        return sample

    def samples(
        self, shape: SampleShape, seed: int, numbers: SampleNumbers | None = None
    ) -> tf.data.Dataset:
        """See `Source.samples`; the layers are made as `images.samples` makes them.

        Raises:
            ValueError: If the images come in pairs.
        """
        chosen = numbers or SampleNumbers()
        layers = self.images.samples(
            self._layer_shape(shape), derive_key(seed, "layers"), chosen.components(self.layers)
        ).batch(self.layers, drop_remainder=True)
        return tf.data.Dataset.zip((chosen.dataset(), layers)).map(
            self._motion_function(shape, seed),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )


def moving_window(
    rng: RandomGenerator,
    images: tf.Tensor,
    speed: tuple[float, float],
    patch_size: int,
    frames: int,
) -> tf.Tensor:
    """Sets images in motion, one before the other.

    Args:
        rng: Random numbers, for outlines and velocities.
        images: uint8 [layers, side, side, channels], the farthest first; `side` leaves room for
            the motion around the patch.
        speed: (lowest, highest) speed in pixels per frame.
        patch_size: Height and width of the result.
        frames: Number of frames, odd.

    Returns:
        uint8 [patch_size, patch_size, frames * channels].
    """
    side = images.shape[1]
    layers, velocities = [], []
    for index, image in enumerate(tf.unstack(tf.cast(images, tf.float32))):
        opacity = _outline(rng, side) if index else tf.ones([side, side, 1])
        layers.append(tf.concat([image, opacity], -1))
        # (x, y) of `unit_vectors`, in the order of an image's axes.
        velocities.append(rng.uniform([], *speed) * rng.unit_vectors(1)[0, ::-1])
    corner = (side - patch_size) // 2
    stacked = []
    for time in range(-(frames // 2), frames // 2 + 1):
        frame = tf.zeros([patch_size, patch_size, images.shape[-1]])
        for layer, velocity in zip(layers, velocities, strict=True):
            shown = _shifted(layer, time * velocity - corner, patch_size)
            opacity = tf.clip_by_value(shown[..., -1:], 0.0, 1.0)
            frame += opacity * (shown[..., :-1] - frame)
        stacked.append(frame)
    pixels = tf.round(tf.clip_by_value(tf.concat(stacked, -1), 0.0, 255.0))
    return tf.cast(pixels, tf.uint8)


def _outline(rng: RandomGenerator, side: int) -> tf.Tensor:
    """Draws the opacity of an object, float32 [side, side, 1], which covers about half."""
    coarse = rng.normal([_OUTLINE_CELLS, _OUTLINE_CELLS, 1])
    field = tf.image.resize(coarse, [side, side], "bicubic")
    return tf.clip_by_value(0.5 + field * (side / _OUTLINE_CELLS), 0.0, 1.0)


def _shifted(layer: tf.Tensor, shift: tf.Tensor, size: int) -> tf.Tensor:
    """Shifts [side, side, C] by (down, right) pixels; returns the upper left [size, size, C]."""
    moved = tf.raw_ops.ScaleAndTranslate(
        images=layer[None],
        size=[size, size],
        scale=[1.0, 1.0],
        translation=shift,
        kernel_type="keyscubic",
    )
    return tf.ensure_shape(moved[0], [size, size, layer.shape[-1]])
