"""Leaves: synthetic training images that need no download.

Random shapes with textures that occlude one another, as in the dead leaves model (Achddou,
Gousseau and Ladjal, "Synthetic images as a regularity prior for image restoration neural networks",
2021), with the colors, illumination and blur of photographs. Everything is TensorFlow operations
with stateless random numbers: a canvas is a pure function of its seed, and many are made at once
without holding Python's lock.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from mallenet_tf.data.numbering import Interleaving
from mallenet_tf.data.random_numbers import ALGORITHM, RandomGenerator, derive_key, sample_seed
from mallenet_tf.data.sources import leaf_shapes, leaf_textures
from mallenet_tf.data.sources.base import InterleavedSource, SampleShape
from mallenet_tf.data.sources.gray import to_channels

SMALLEST_CANVAS = 32


@functools.cache
def canvas_function(size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns `leaves_canvas` of one size, traced once per process for all data sets."""
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
        ValueError: If the size is another one.
    """
    if size < SMALLEST_CANVAS or size % 4:
        raise ValueError(
            f"The size of a canvas is a multiple of 4, at least {SMALLEST_CANVAS}. "
            f"Received: size={size}"
        )
    rng = RandomGenerator(seed)
    smooth = leaf_textures.noise_fields(
        rng, tf.constant([2.0, 1.6, 2.2]), tf.constant([1.0, 0.6, 1.0])
    )
    # Shapes are drawn at twice the resolution and averaged, so that edges are antialiased.
    clutter = tf.sigmoid(2.5 * (smooth[0] + rng.uniform([], -2.2, 0.6)))
    geometry = leaf_shapes.draw_geometry(rng, 2 * size, clutter)
    count = geometry.radii.shape[0]
    colors = leaf_textures.leaf_colors(rng, geometry, smooth[0])
    base = tf.nn.avg_pool2d(tf.gather(colors, geometry.top)[None], 2, 2, "VALID")[0]
    tiles = leaf_textures.texture_tiles(rng)
    shading = leaf_textures.shade(rng, geometry, tiles, smooth[1], size)
    illumination = tf.image.resize(smooth[2][..., None], [size, size])
    exposure = shading[..., None] + rng.uniform([], 0.0, 0.25) * illumination
    # Shading multiplies, as illumination does, so that no value turns negative.
    image = base * tf.exp(tf.clip_by_value(exposure, -1.5, 1.0))
    nearness = tf.cast(geometry.top[::2, ::2, None], tf.float32) / count
    image = leaf_textures.optics(rng, image, nearness)
    return tf.cast(tf.round(tf.clip_by_value(image, 0.0, 1.0) * 255.0), tf.uint8)


@dataclasses.dataclass(frozen=True)
class Leaves(InterleavedSource):
    """Crops of synthetic images, see `leaves_canvas`.

    Attributes:
        weight: Share of the samples, relative to the other sources.
        canvas_size: Height and width of a canvas; enlarged where a patch does not fit.
        coverage: How often a pixel of a canvas is used on average: a canvas gives
            coverage * (canvas_size / patch_size)^2 crops, at least one.
        interleaved: Number of canvases that are open at once.

    Raises:
        ValueError: If a value is out of range.
    """

    canvas_size: int = 256
    coverage: float = 2.0
    interleaved: int = 32

    def __post_init__(self) -> None:
        if self.canvas_size < SMALLEST_CANVAS:
            raise ValueError(
                f"A canvas has at least {SMALLEST_CANVAS} pixels. "
                f"Received: canvas_size={self.canvas_size}"
            )
        if not self.coverage > 0 or self.interleaved < 1:
            raise ValueError(
                "coverage must be positive, and at least one canvas open. Received: "
                f"coverage={self.coverage}, interleaved={self.interleaved}"
            )

    def describe(self) -> str:
        return f"leaves (synthetic, canvases of {self.canvas_size} pixels)"

    def _size(self, shape: SampleShape) -> int:
        size = max(self.canvas_size, shape.patch_size)
        return size + -size % 4

    def interleaving(self, shape: SampleShape) -> Interleaving:
        crops = round(self.coverage * (self._size(shape) / shape.patch_size) ** 2)
        return Interleaving(self.interleaved, max(1, crops))

    def image_function(self, shape: SampleShape, seed: int) -> Callable[[tf.Tensor], tf.Tensor]:
        size, key = self._size(shape), derive_key(seed, "canvas")
        draw = canvas_function(size)

        def image(number: tf.Tensor) -> tf.Tensor:
            canvas = to_channels(draw(sample_seed(key, number)), shape.channels)
            return tf.ensure_shape(canvas, [size, size, shape.channels])

        return image

    def crop_function(
        self, shape: SampleShape, seed: int
    ) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        key, corners = derive_key(seed, "place"), self._size(shape) - shape.patch_size + 1
        size = [shape.patch_size, shape.patch_size, shape.channels]

        def crop(image: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
            corner = tf.random.stateless_uniform(
                [2], sample_seed(key, number), 0, corners, tf.int32, alg=ALGORITHM
            )
            return tf.ensure_shape(tf.slice(image, tf.concat([corner, [0]], 0), size), size)

        return crop
