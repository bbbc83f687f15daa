"""Still images set in motion, so that a video network can be trained without videos."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import tensorflow as tf

from mallenet_tf.data.pipeline import Source
from mallenet_tf.data.random_numbers import Draws, sample_seed, stream_key, wanted_numbers
from mallenet_tf.data.sources.frame_sequences import VideoSource
from mallenet_tf.data.sources.leaves import Leaves

# Pixels beside a window that its interpolation looks at.
_KERNEL_REACH = 2
# An object's outline comes from so many random values along a side.
_OUTLINE_CELLS = 5


@dataclasses.dataclass(frozen=True)
class MovingScenes(VideoSource):
    """Still images set in motion: a panned background and objects that move before it.

    Each layer is a crop of `images`, moves with a velocity of its own and keeps it. All but the
    first are cut out along a smooth random outline that moves with them, so that they hide and
    uncover what is behind. The middle frame shows the crops as they are; the others are shifted by
    cubic interpolation where the shift is no whole number of pixels.

    Attributes:
        images: Where the layers come from: `Leaves`, `ImageFolder` or another source of clean
            images.
        weight: Share of the samples, relative to the other sources.
        layers: The background and the objects, >= 1; with 1 the whole image moves as one.
        speed: (lowest, highest) speed of a layer in pixels per frame, uniform between them; the
            direction is uniform too.
        room_for: Highest speed that the crops of the images leave room for; None for that of
            `speed`. Sources with the same room show the same middle frames at any speed.
    """

    images: Source = dataclasses.field(default_factory=Leaves)
    weight: float = 1.0
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
        """One line for the log."""
        low, high = self.speed
        return (
            f"{self.layers} layers, {low:g} to {high:g} pixels per frame, of "
            f"{self.images.describe()}"
        )

    def windows(
        self,
        first: int,
        wanted: Callable[[tf.Tensor], tf.Tensor],
        patch_size: int,
        channels: int,
        seed: int,
        frames: int,
    ) -> tf.data.Dataset:
        """Windows number `first`, first + 1, ... for which `wanted` is true.

        Window n is made of crops n * layers to (n + 1) * layers - 1 of the images. The
        rest is as of `VideoSource.windows`.

        Raises:
            ValueError: if the images come in pairs.
        """
        layers = self.layers
        fastest = self.speed[1] if self.room_for is None else self.room_for
        reach = math.ceil(frames // 2 * fastest) + _KERNEL_REACH
        crops = self.images.patches(
            first * layers,
            lambda number: wanted(number // layers),
            patch_size + 2 * reach,
            channels,
            stream_key(seed, "layers"),
        )
        if crops.element_spec.shape[-1] != channels:
            raise ValueError(
                f"Clean images can be set in motion, not pairs. Received: images={self.images}"
            )
        motion_key = stream_key(seed, "motion")

        @tf.autograph.experimental.do_not_convert
        def move(number: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
            draws = Draws(sample_seed(motion_key, number))
            return moving_window(draws, images, self.speed, patch_size, frames)

        numbers = wanted_numbers(first, wanted)
        layered = crops.batch(layers, drop_remainder=True)
        return tf.data.Dataset.zip((numbers, layered)).map(
            move, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )


def moving_window(
    draws: Draws, images: tf.Tensor, speed: tuple[float, float], patch_size: int, frames: int
) -> tf.Tensor:
    """Sets images in motion, one before the other.

    Args:
        draws: Random numbers: outlines and velocities.
        images: uint8 [layers, side, side, channels], the farthest first; side must leave room for
            the motion around the patch, on both sides the same.
        speed: As of `MovingScenes`.
        patch_size: Height and width of the result.
        frames: Odd.

    Returns:
        uint8 [patch_size, patch_size, frames * channels].
    """
    side = images.shape[1]
    layers, velocities = [], []
    for index, image in enumerate(tf.unstack(tf.cast(images, tf.float32))):
        opacity = _outline(draws, side) if index else tf.ones([side, side, 1])
        layers.append(tf.concat([image, opacity], -1))
        # (x, y) of `directions`, in the order of an image's axes.
        velocities.append(draws.uniform([], *speed) * draws.directions(1)[0, ::-1])
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


def _outline(draws: Draws, side: int) -> tf.Tensor:
    """Opacity of an object, float32 [side, side, 1]: it covers about half, its edge is thin."""
    coarse = draws.normal([_OUTLINE_CELLS, _OUTLINE_CELLS, 1])
    field = tf.image.resize(coarse, [side, side], "bicubic")
    return tf.clip_by_value(0.5 + field * (side / _OUTLINE_CELLS), 0.0, 1.0)


def _shifted(layer: tf.Tensor, shift: tf.Tensor, size: int) -> tf.Tensor:
    """Moves [side, side, C] by (down, right) pixels; returns the upper left [size, size]."""
    moved = tf.raw_ops.ScaleAndTranslate(
        images=layer[None],
        size=[size, size],
        scale=[1.0, 1.0],
        translation=shift,
        kernel_type="keyscubic",
    )
    return tf.ensure_shape(moved[0], [size, size, layer.shape[-1]])
