"""Leaves: synthetic training images that need no download.

Random shapes with textures that occlude one another, as in the dead leaves model (Achddou,
Gousseau and Ladjal, 2021), with the colours, light and blur of photographs. Everything is
TensorFlow operations with stateless random numbers: a canvas is a pure function of (seed,
number), and many are made at once without holding Python's lock.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from mallenet_tf.data.random_numbers import ALGORITHM, Draws, sample_seed, stream_key
from mallenet_tf.data.sources import leaf_shapes, leaf_textures

_LUMA = (0.299, 0.587, 0.114)


@functools.cache
def canvas_function(size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """`leaves_canvas` of one size, traced once per process however many data sets use it."""
    signature = [tf.TensorSpec([2], tf.int64)]
    return tf.function(
        lambda seed: leaves_canvas(seed, size), input_signature=signature, autograph=False
    )


def leaves_canvas(seed: tf.Tensor, size: int = 256) -> tf.Tensor:
    """Makes one image.

    Args:
        seed: int64 [2]; the image is a pure function of it.
        size: Height and width, a multiple of 4, at least 32.

    Returns:
        uint8 [size, size, 3].

    Raises:
        ValueError: for another size.
    """
    if size < 32 or size % 4:
        raise ValueError(f"A canvas is a multiple of 4, at least 32. Received: size={size}")
    draws = Draws(seed)
    smooth = leaf_textures.noise_fields(
        draws, tf.constant([2.0, 1.6, 2.2]), tf.constant([1.0, 0.6, 1.0])
    )
    # Leaves are drawn twice as fine and averaged, so that edges are antialiased.
    clutter = tf.sigmoid(2.5 * (smooth[0] + draws.uniform([], -2.2, 0.6)))
    geometry = leaf_shapes.draw_geometry(draws, 2 * size, clutter)
    count = geometry.radii.shape[0]
    colours = leaf_textures.leaf_colours(draws, geometry, smooth[0])
    base = tf.nn.avg_pool2d(tf.gather(colours, geometry.top)[None], 2, 2, "VALID")[0]
    tiles = leaf_textures.texture_tiles(draws)
    shading = leaf_textures.shade(draws, geometry, tiles, smooth[1], size)
    light = tf.image.resize(smooth[2][..., None], [size, size])
    exposure = shading[..., None] + draws.uniform([], 0.0, 0.25) * light
    # Lightness multiplies, as illumination does, and never turns negative.
    image = base * tf.exp(tf.clip_by_value(exposure, -1.5, 1.0))
    nearness = tf.cast(geometry.top[::2, ::2, None], tf.float32) / count
    image = leaf_textures.optics(draws, image, nearness)
    return tf.cast(tf.round(tf.clip_by_value(image, 0.0, 1.0) * 255.0), tf.uint8)


@dataclasses.dataclass(frozen=True)
class Leaves:
    """Crops of synthetic images.

    Crops are numbered so that neighbours come from different canvases: `interleaved` canvases
    are open at once and give one crop each in turn, until each has given its share.

    Attributes:
        weight: Share of the samples, relative to the other sources.
        canvas_size: Height and width of a canvas; enlarged where a patch does not fit.
        coverage: How often a pixel of a canvas is used on average; a canvas gives
            coverage * (canvas_size / patch_size)^2 crops, at least one.
        interleaved: Canvases open at once.
    """

    weight: float = 1.0
    canvas_size: int = 256
    coverage: float = 2.0
    interleaved: int = 32

    def __post_init__(self) -> None:
        if self.canvas_size < 32:
            raise ValueError(f"Too small. Received: canvas_size={self.canvas_size}")
        if not self.coverage > 0 or self.interleaved < 1:
            raise ValueError(
                "A canvas gives crops, and one at least is open. Received: "
                f"coverage={self.coverage}, interleaved={self.interleaved}"
            )

    def describe(self) -> str:
        """One line for the log."""
        return f"leaves (synthetic, canvases of {self.canvas_size} pixels)"

    def patches(
        self,
        first: int,
        wanted: Callable[[tf.Tensor], tf.Tensor],
        patch_size: int,
        channels: int,
        seed: int,
    ) -> tf.data.Dataset:
        """Crops number `first`, first + 1, ... for which `wanted` is true.

        With G canvases open and K crops from each, crop m is crop (m mod G K) div G of canvas
        (m div G K) G + m mod G.

        Args:
            first: Number of the first crop.
            wanted: Maps int64 numbers to booleans, any shape.
            patch_size: Height and width of a crop.
            channels: 1 or 3.
            seed: Crops are a pure function of it and their number.

        Returns:
            Data set of uint8 [patch_size, patch_size, channels].
        """
        size = max(self.canvas_size, patch_size)
        size += -size % 4
        each = max(1, round(self.coverage * (size / patch_size) ** 2))
        block = self.interleaved * each
        canvas_key, place_key = stream_key(seed, "canvas"), stream_key(seed, "place")

        draw = canvas_function(size)

        def make(canvas: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            group, lane = canvas // self.interleaved, canvas % self.interleaved
            numbers = group * block + lane + self.interleaved * tf.range(each, dtype=tf.int64)
            # A canvas whose crops all belong to other workers is not drawn.
            pixels = tf.cond(
                tf.reduce_any(wanted(numbers) & (numbers >= first)),
                lambda: to_channels(draw(sample_seed(canvas_key, canvas)), channels),
                lambda: tf.zeros([size, size, channels], tf.uint8),
            )
            return numbers, tf.ensure_shape(pixels, [size, size, channels])

        def crops(numbers: tf.Tensor, pixels: tf.Tensor) -> tf.data.Dataset:
            return tf.data.Dataset.from_tensor_slices(numbers).map(
                lambda number: (number, _crop(pixels, sample_seed(place_key, number), patch_size))
            )

        start = first // block * self.interleaved
        canvases = tf.data.Dataset.range(start, np.iinfo(np.int64).max).map(
            make, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        ordered = canvases.prefetch(self.interleaved).interleave(
            crops, cycle_length=self.interleaved, block_length=1
        )
        kept = ordered.filter(lambda number, _: (number >= first) & wanted(number))
        return kept.map(lambda _, patch: patch)


def to_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """Converts uint8 RGB to the number of channels asked for."""
    if channels == 3:
        return image
    luma = tf.tensordot(tf.cast(image, tf.float32), tf.constant(_LUMA), 1)
    return tf.cast(tf.round(luma), tf.uint8)[..., None]


def _crop(image: tf.Tensor, seed: tf.Tensor, patch_size: int) -> tf.Tensor:
    room = image.shape[0] - patch_size + 1
    corner = tf.random.stateless_uniform([2], seed, 0, room, tf.int32, alg=ALGORITHM)
    patch = tf.slice(image, tf.concat([corner, [0]], 0), [patch_size, patch_size, image.shape[2]])
    return tf.ensure_shape(patch, [patch_size, patch_size, image.shape[2]])
