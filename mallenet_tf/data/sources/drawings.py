"""Drawings: graphics and text, which photographs hardly show.

Flat saturated colors, bars, ramps, thin lines, letters on a plain ground and uniform noise: where
networks trained on photographs alone show color casts and ringing. They need no download; a patch
is a pure function of its seed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from PIL import ImageFont

from mallenet_tf.data.random_numbers import RandomGenerator, derive_key, sample_seed
from mallenet_tf.data.sources.base import SampleShape, Source
from mallenet_tf.data.sources.gray import to_channels

STROKES = 24
STRIPES = 64
CHARACTERS = [chr(code) for code in range(33, 127)]


def random_colors(rng: RandomGenerator, count: int) -> tf.Tensor:
    """Draws colors: a third are corners of the RGB cube, a third grays, a third any color.

    Returns:
        float32 [count, 3] in [0, 1].
    """
    corners = tf.round(rng.uniform([count, 3]))
    grays = tf.repeat(rng.uniform([count, 1]), 3, 1)
    anything = rng.uniform([count, 3])
    kind = rng.integers([count, 1], 0, 3)
    return tf.where(kind == 0, corners, tf.where(kind == 1, grays, anything))


def flat(rng: RandomGenerator, size: int) -> tf.Tensor:
    """Draws one color all over."""
    return tf.tile(random_colors(rng, 1)[None], [size, size, 1])


def bars(rng: RandomGenerator, size: int) -> tf.Tensor:
    """Draws stripes of one width, from 1 pixel to the patch; half of them are crossed."""
    palette = random_colors(rng, STRIPES)
    width = rng.log_uniform([2], 1.0, float(size))
    place = tf.range(size, dtype=tf.float32)[:, None] + rng.uniform([2], 0.0, float(size))
    number = tf.cast(place / width, tf.int32)
    crossed = rng.integers([], 0, 2)
    return tf.gather(palette, (number[None, :, 0] + crossed * 7 * number[:, None, 1]) % STRIPES)


def ramp(rng: RandomGenerator, size: int) -> tf.Tensor:
    """Draws a linear transition from one color to another, in any direction."""
    ends = random_colors(rng, 2)
    along = tf.linspace(-0.5, 0.5, size)
    direction = rng.unit_vectors(1)[0]
    share = tf.clip_by_value(0.5 + along[:, None] * direction[0] + along * direction[1], 0.0, 1.0)
    return ends[0] + share[..., None] * (ends[1] - ends[0])


def lines(rng: RandomGenerator, size: int) -> tf.Tensor:
    """Draws strokes 1 to 3 pixels wide, hard or antialiased; short upright ones are like text."""
    ground, ink = tf.unstack(random_colors(rng, 2))
    longest = rng.log_uniform([], 4.0, 1.5 * size)
    upright = rng.integers([], 0, 2) == 0
    starts = rng.uniform([STROKES, 2], 0.0, float(size))
    angles = rng.uniform([STROKES], 0.0, 2.0 * math.pi)
    angles = tf.where(upright, tf.round(angles * 2.0 / math.pi) * math.pi / 2.0, angles)
    steps = tf.stack([tf.sin(angles), tf.cos(angles)], 1)
    lengths = rng.uniform([STROKES], 0.5, 1.0) * longest
    starts = tf.where(upright, tf.round(starts), starts)
    pixel = tf.cast(tf.stack(tf.meshgrid(*2 * [tf.range(size)], indexing="ij"), -1), tf.float32)
    offset = pixel[:, :, None] - starts  # [size, size, STROKES, 2]
    along = tf.clip_by_value(tf.reduce_sum(offset * steps, -1), 0.0, lengths)
    distance = tf.norm(offset - along[..., None] * steps, axis=-1)
    half_width = rng.uniform([], 0.5, 1.5)
    softness = tf.where(rng.integers([], 0, 2) == 0, 1e-3, 1.0)
    nearness = half_width - tf.reduce_min(distance, -1)
    cover = tf.clip_by_value(nearness / softness + 0.5, 0.0, 1.0)[..., None]
    return ground + cover * (ink - ground)


def glyphs() -> np.ndarray:
    """Renders `CHARACTERS` in Pillow's bitmap font: bool [characters, 11, 6]."""
    font = ImageFont.load_default_imagefont()
    masks = [font.getmask(character) for character in CHARACTERS]
    return np.stack([np.reshape(mask, mask.size[::-1]) > 0 for mask in masks])


def letters(rng: RandomGenerator, size: int) -> tf.Tensor:
    """Draws lines of random words, enlarged 1 to 3 times."""
    ground, ink = tf.unstack(random_colors(rng, 2))
    font = glyphs()
    _, height, width = font.shape
    lines, columns = size // height + 2, size // width + 2
    page = tf.gather(tf.constant(font), rng.integers([lines, columns], 0, len(font)))
    gaps = rng.uniform([lines, columns]) < rng.uniform([], 0.0, 0.5)
    page = tf.transpose(page & ~gaps[..., None, None], [0, 2, 1, 3])
    page = tf.reshape(page, [lines * height, columns * width])
    pixel = tf.range(size) // rng.integers([], 1, 4)
    page = tf.gather(page, pixel + rng.integers([], 0, height))
    page = tf.gather(page, pixel + rng.integers([], 0, width), axis=1)
    return tf.where(page[..., None], ink, ground)


def uniform_noise(rng: RandomGenerator, size: int) -> tf.Tensor:
    """Draws every value independently and uniformly."""
    return rng.uniform([size, size, 3])


KINDS = (flat, bars, ramp, lines, letters, uniform_noise)
SHARES = (0.3, 0.15, 0.1, 0.25, 0.15, 0.05)


def drawing(seed: tf.Tensor, size: int) -> tf.Tensor:
    """Makes one patch of a random kind.

    Args:
        seed: int64 [2]; the patch is a pure function of it.
        size: Height and width.

    Returns:
        uint8 [size, size, 3].
    """
    rng = RandomGenerator(seed)
    kind = tf.searchsorted(tf.constant(np.cumsum(SHARES), tf.float32), rng.uniform([1]))[0]
    branches = [lambda draw=draw: draw(RandomGenerator(seed + 1), size) for draw in KINDS]
    image = tf.switch_case(kind, branches)
    return tf.ensure_shape(tf.cast(tf.round(image * 255.0), tf.uint8), [size, size, 3])


@dataclasses.dataclass(frozen=True)
class Drawings(Source):
    """Patches of drawings, see `drawing`.

    Attributes:
        weight: Share of the samples, relative to the other sources.
    """

    def describe(self) -> str:
        return "drawings (synthetic flats, bars, ramps, lines and letters)"

    def sample_function(self, shape: SampleShape, seed: int) -> Callable[[tf.Tensor], tf.Tensor]:
        key = derive_key(seed, "drawing")

        def sample(number: tf.Tensor) -> tf.Tensor:
            return to_channels(drawing(sample_seed(key, number), shape.patch_size), shape.channels)

        return sample
