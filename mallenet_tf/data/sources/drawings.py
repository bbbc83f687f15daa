"""Drawings: what photographs hardly show, so that networks meet it in training.

Saturated flat colours, bars, ramps, thin lines and letters on plain ground, and noise in every
value: where networks that were trained on photographs alone cast colours and ring. Made by
TensorFlow operations with stateless random numbers, without a download: a patch is a pure function
of (seed, number).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from PIL import ImageFont

from mallenet_tf.data.random_numbers import Draws, made_from_numbers, sample_seed, stream_key
from mallenet_tf.data.sources.leaves import to_channels

STROKES = 24
STRIPES = 64
CHARACTERS = [chr(code) for code in range(33, 127)]


def colours(draws: Draws, count: int) -> tf.Tensor:
    """float32 [count, 3] in [0, 1]: corners of the colour cube, grays, and any, a third each."""
    corners = tf.round(draws.uniform([count, 3]))
    grays = tf.repeat(draws.uniform([count, 1]), 3, 1)
    anything = draws.uniform([count, 3])
    kind = draws.integers([count, 1], 0, 3)
    return tf.where(kind == 0, corners, tf.where(kind == 1, grays, anything))


def flat(draws: Draws, size: int) -> tf.Tensor:
    """One colour."""
    return tf.tile(colours(draws, 1)[None], [size, size, 1])


def bars(draws: Draws, size: int) -> tf.Tensor:
    """Stripes of one width, 1 pixel to the whole patch, in random colours; half are crossed."""
    palette = colours(draws, STRIPES)
    width = draws.log_uniform([2], 1.0, float(size))
    place = tf.range(size, dtype=tf.float32)[:, None] + draws.uniform([2], 0.0, float(size))
    number = tf.cast(place / width, tf.int32)
    crossed = draws.integers([], 0, 2)
    return tf.gather(palette, (number[None, :, 0] + crossed * 7 * number[:, None, 1]) % STRIPES)


def ramp(draws: Draws, size: int) -> tf.Tensor:
    """From one colour to another, in any direction."""
    ends = colours(draws, 2)
    along = tf.linspace(-0.5, 0.5, size)
    direction = draws.directions(1)[0]
    share = tf.clip_by_value(0.5 + along[:, None] * direction[0] + along * direction[1], 0.0, 1.0)
    return ends[0] + share[..., None] * (ends[1] - ends[0])


def lines(draws: Draws, size: int) -> tf.Tensor:
    """Strokes, 1 to 3 pixels wide, hard or antialiased; short and upright ones are like text."""
    ground, ink = tf.unstack(colours(draws, 2))
    longest = draws.log_uniform([], 4.0, 1.5 * size)
    upright = draws.integers([], 0, 2) == 0
    starts = draws.uniform([STROKES, 2], 0.0, float(size))
    angles = draws.uniform([STROKES], 0.0, 2.0 * math.pi)
    angles = tf.where(upright, tf.round(angles * 2.0 / math.pi) * math.pi / 2.0, angles)
    steps = tf.stack([tf.sin(angles), tf.cos(angles)], 1)
    lengths = draws.uniform([STROKES], 0.5, 1.0) * longest
    starts = tf.where(upright, tf.round(starts), starts)
    pixel = tf.cast(tf.stack(tf.meshgrid(*2 * [tf.range(size)], indexing="ij"), -1), tf.float32)
    offset = pixel[:, :, None] - starts  # [size, size, STROKES, 2]
    along = tf.clip_by_value(tf.reduce_sum(offset * steps, -1), 0.0, lengths)
    distance = tf.norm(offset - along[..., None] * steps, axis=-1)
    half_width = draws.uniform([], 0.5, 1.5)
    softness = tf.where(draws.integers([], 0, 2) == 0, 1e-3, 1.0)
    nearness = half_width - tf.reduce_min(distance, -1)
    cover = tf.clip_by_value(nearness / softness + 0.5, 0.0, 1.0)[..., None]
    return ground + cover * (ink - ground)


def glyphs() -> np.ndarray:
    """`CHARACTERS` in Pillow's bitmap font: bool [characters, 11, 6]."""
    font = ImageFont.load_default_imagefont()
    masks = [font.getmask(character) for character in CHARACTERS]
    return np.stack([np.reshape(mask, mask.size[::-1]) > 0 for mask in masks])


def letters(draws: Draws, size: int) -> tf.Tensor:
    """Lines of words of random letters, each pixel of them 1 to 3 wide."""
    ground, ink = tf.unstack(colours(draws, 2))
    font = glyphs()
    _, height, width = font.shape
    lines, columns = size // height + 2, size // width + 2
    page = tf.gather(tf.constant(font), draws.integers([lines, columns], 0, len(font)))
    gaps = draws.uniform([lines, columns]) < draws.uniform([], 0.0, 0.5)
    page = tf.transpose(page & ~gaps[..., None, None], [0, 2, 1, 3])
    page = tf.reshape(page, [lines * height, columns * width])
    pixel = tf.range(size) // draws.integers([], 1, 4)
    page = tf.gather(page, pixel + draws.integers([], 0, height))
    page = tf.gather(page, pixel + draws.integers([], 0, width), axis=1)
    return tf.where(page[..., None], ink, ground)


def confetti(draws: Draws, size: int) -> tf.Tensor:
    """Every value of its own, uniform."""
    return draws.uniform([size, size, 3])


KINDS = (flat, bars, ramp, lines, letters, confetti)
SHARES = (0.3, 0.15, 0.1, 0.25, 0.15, 0.05)


def drawing(seed: tf.Tensor, size: int) -> tf.Tensor:
    """Makes one patch.

    Args:
        seed: int64 [2]; the patch is a pure function of it.
        size: Height and width.

    Returns:
        uint8 [size, size, 3].
    """
    draws = Draws(seed)
    kind = tf.searchsorted(tf.constant(np.cumsum(SHARES), tf.float32), draws.uniform([1]))[0]
    branches = [lambda draw=draw: draw(Draws(seed + 1), size) for draw in KINDS]
    image = tf.switch_case(kind, branches)
    return tf.ensure_shape(tf.cast(tf.round(image * 255.0), tf.uint8), [size, size, 3])


@dataclasses.dataclass(frozen=True)
class Drawings:
    """Patches of drawings, see `drawing`.

    Attributes:
        weight: Share of the samples, relative to the other sources.
    """

    weight: float = 1.0

    def describe(self) -> str:
        """One line for the log."""
        return "drawings (synthetic flats, bars, ramps, lines and letters)"

    def patches(
        self,
        first: int,
        wanted: Callable[[tf.Tensor], tf.Tensor],
        patch_size: int,
        channels: int,
        seed: int,
    ) -> tf.data.Dataset:
        """Patches number `first`, first + 1, ... for which `wanted` is true.

        Args:
            first: Number of the first patch.
            wanted: Maps int64 numbers to booleans, any shape.
            patch_size: Height and width of a patch.
            channels: 1 or 3.
            seed: Patches are a pure function of it and their number.

        Returns:
            Data set of uint8 [patch_size, patch_size, channels].
        """
        key = stream_key(seed, "drawing")

        def make(number: tf.Tensor) -> tf.Tensor:
            return to_channels(drawing(sample_seed(key, number), patch_size), channels)

        return made_from_numbers(first, wanted, make)
