"""The geometry of dead leaves: which leaf is on top at each pixel.

The radii of leaves follow a power law with exponent 3, so that every octave of sizes covers the
same area (Achddou, Gousseau and Ladjal, "Synthetic images as a regularity prior for image
restoration neural networks", 2021, section 3: the model that is invariant to scale). Where that
work uses discs, the outlines here are ellipses, lobed curves and polygons.

An outline is an implicit function of a small basis, so that one matrix product evaluates all leaves
of an octave on all their pixels.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from mallenet_tf.data.random_numbers import RandomGenerator

# Share of the canvas that the leaves of an octave would cover if none overlapped.
_COVERAGE = 0.5
# Average share of its bounding square that a leaf fills.
_FILL = 0.24
_SMALLEST_RADIUS = 3
_LARGEST_RADIUS = 192
_POLYGON_SHARE = 0.4
# Degrees of an outline's terms: the first makes it elliptic, the others give it lobes.
_DEGREES = (2, 3, 4, 5, 6)
# Corners cut off a parallelogram.
_CUTS = 2
# Only leaves up to this radius depend on the clutter of their place.
_LARGEST_SMALL_LEAF = 24


@dataclasses.dataclass(frozen=True)
class Octave:
    """Numbers of curved leaves and polygons with radii from `radius / 2` to `radius` pixels."""

    radius: int
    curved: int
    polygons: int


def octaves(size: int) -> list[Octave]:
    """Returns the octaves of leaves that are drawn on a canvas of size x size pixels."""
    found = []
    radius = 2 * _SMALLEST_RADIUS
    while radius <= min(_LARGEST_RADIUS, size // 2):
        count = max(2, round(_COVERAGE * size**2 / (_FILL * (2 * radius) ** 2)))
        polygons = max(1, round(_POLYGON_SHARE * count))
        found.append(Octave(radius, count - polygons, polygons))
        radius *= 2
    return found


def leaf_count(size: int) -> int:
    """Returns the number of leaves on a canvas of size x size pixels."""
    return sum(octave.curved + octave.polygons for octave in octaves(size))


@dataclasses.dataclass(frozen=True)
class Geometry:
    """A canvas of leaves.

    Attributes:
        top: int32 [size, size]: the number of the leaf on top, from 1, the farthest, to
            `leaf_count`, the nearest; 0 for the background.
        centers: float32 [leaf_count + 1, 2]: (x, y) in pixels of the background, whose center is
            the middle of the canvas, and of all leaves.
        radii: float32 [leaf_count + 1] in pixels.
    """

    top: tf.Tensor
    centers: tf.Tensor
    radii: tf.Tensor


def draw_geometry(rng: RandomGenerator, size: int, clutter: tf.Tensor) -> Geometry:
    """Places leaves of all sizes on a canvas, at random and in random order of depth.

    Args:
        rng: Random numbers.
        size: Height and width of the canvas; leaves wrap around its borders.
        clutter: float32 [n, n]: the probability that a small leaf exists at a place, so that
            some regions are busy and others smooth.
    """
    bands = octaves(size)
    # First the curved leaves of all octaves, then the polygons of all octaves.
    counts = [octave.curved for octave in bands] + [octave.polygons for octave in bands]
    boxes = np.repeat([octave.radius for octave in bands] * 2, counts)
    total, curved = len(boxes), sum(counts[: len(bands)])
    corners = rng.integers([total, 2], 0, size)
    centers = tf.cast(corners, tf.float32) + tf.constant(boxes[:, None] - 0.5, tf.float32)
    centers = tf.math.floormod(centers, float(size))
    scales = rng.power_law([total], 0.5, 1.0, exponent=3.0)
    order = rng.permutation(total)
    depths = tf.math.invert_permutation(order) + 1
    seen = _uncluttered(rng, centers, clutter, size) | tf.constant(boxes > _LARGEST_SMALL_LEAF)
    depths_seen = tf.where(seen, depths, 0)
    outlines = [
        *tf.split(_curved(rng, scales[:curved]), counts[: len(bands)]),
        *tf.split(_polygons(rng, scales[curved:]), counts[len(bands) :]),
    ]
    top = tf.zeros([size * size], tf.int32)
    for octave, outline, corner, depth in zip(
        bands * 2, outlines, tf.split(corners, counts), tf.split(depths_seen, counts), strict=True
    ):
        top = tf.maximum(top, paint(_inside(outline, 2 * octave.radius), corner, depth, size))
    radii = scales * tf.constant(boxes, tf.float32)
    middle = tf.constant([[size / 2, size / 2]], tf.float32)
    return Geometry(
        tf.reshape(top, [size, size]),
        tf.concat([middle, tf.gather(centers, order)], 0),
        tf.concat([[float(size)], tf.gather(radii, order)], 0),
    )


def _uncluttered(
    rng: RandomGenerator, centers: tf.Tensor, clutter: tf.Tensor, size: int
) -> tf.Tensor:
    """Returns which leaves exist if all of them are small, bool [leaves]."""
    cells = tf.cast(centers * (clutter.shape[0] / size), tf.int32) % clutter.shape[0]
    return rng.uniform([centers.shape[0]]) < tf.gather_nd(clutter, cells[:, ::-1])


def paint(inside: tf.Tensor, corner: tf.Tensor, depth: tf.Tensor, size: int) -> tf.Tensor:
    """Returns the depth of the nearest leaf at each pixel.

    Args:
        inside: Bool [leaves, side, side]: the pixels of each leaf in its bounding square.
        corner: int32 [leaves, 2]: (x, y) of the squares' upper left corners.
        depth: int32 [leaves]: larger is nearer; 0 hides a leaf.
        size: Height and width of the canvas, which is periodic.

    Returns:
        int32 [size * size], 0 where no leaf is.
    """
    side = inside.shape[1]
    steps = tf.range(side)
    x = (corner[:, :1] + steps) % size
    y = (corner[:, 1:] + steps) % size
    pixels = y[:, :, None] * size + x[:, None, :]
    values = tf.where(inside, depth[:, None, None], 0)
    nearest = tf.math.unsorted_segment_max(
        tf.reshape(values, [-1]), tf.reshape(pixels, [-1]), size * size
    )
    return tf.maximum(nearest, 0)


def _inside(outline: tf.Tensor, side: int) -> tf.Tensor:
    """Evaluates outlines on the pixels of their bounding squares.

    Args:
        outline: float32 [leaves, parts, terms], coefficients from `_curved` or `_polygons`; a
            pixel is inside where all parts are below 1.
        side: Height and width of a square in pixels; its coordinates are -1 to 1.

    Returns:
        bool [leaves, side, side].
    """
    leaves, parts, terms = outline.shape
    line = (2 * np.arange(side) + 1 - side) / side
    z = (line[None, :] + 1j * line[:, None]).ravel()
    if terms == 2:
        basis = np.stack([z.real, z.imag])
    else:
        powers = [z**degree for degree in _DEGREES]
        basis = np.stack([np.abs(z) ** 2, *np.real(powers), *np.imag(powers)])
    values = tf.matmul(tf.reshape(outline, [-1, terms]), tf.constant(basis, tf.float32))
    highest = tf.reduce_max(tf.reshape(values, [leaves, parts, side * side]), axis=1)
    # Outlines that leave the square are cut off by a circle, which favors no direction.
    inside = (highest < 1.0) & tf.constant(np.abs(z) < 1)
    return tf.reshape(inside, [leaves, side, side])


def _curved(rng: RandomGenerator, scale: tf.Tensor) -> tf.Tensor:
    """Draws ellipses, half of them with lobes.

    Inside is where r^2 (1 + e cos 2(t - t0)) / (1 - e) + sum_k a_k r^k cos k(t - t_k) < 1 in
    polar coordinates (r, t). r^k cos kt and r^k sin kt are the harmonic polynomials,
    the basis.

    Returns:
        float32 [leaves, 1, terms].
    """
    count, lobes = scale.shape[0], len(_DEGREES) - 1
    flatness = rng.log_uniform([count, 1], 0.03, 1.0)
    lobed = tf.cast(rng.uniform([count, 1]) < 0.5, tf.float32)
    bumps = lobed * rng.uniform([count, lobes]) * (2.4 / np.array(_DEGREES[1:], np.float32))
    # A scaled leaf is f(x / scale): a term of degree k is divided by scale^k.
    size = tf.concat([(1.0 - flatness) / flatness, bumps], 1)
    size /= scale[:, None] ** np.array(_DEGREES, np.float32)
    angle = rng.uniform([count, lobes + 1], 0.0, 2 * np.pi)
    round_part = 1.0 / (flatness * scale[:, None] ** 2)
    terms = [round_part, size * tf.cos(angle), size * tf.sin(angle)]
    return tf.concat(terms, 1)[:, None]


def _polygons(rng: RandomGenerator, scale: tf.Tensor) -> tf.Tensor:
    """Draws convex polygons: parallelograms, often thin bars, with two corners cut off.

    Returns:
        float32 [leaves, half-planes, 2].
    """
    count = scale.shape[0]
    first = rng.uniform([count, 1], 0.0, 2 * np.pi)
    skewed = first + np.pi / 2 + rng.uniform([count, 1], -0.5, 0.5)
    cuts = rng.uniform([count, _CUTS], 0.0, 2 * np.pi)
    angle = tf.concat([first, first + np.pi, skewed, skewed + np.pi, cuts], 1)
    width = rng.log_uniform([count, 1], 0.06, 0.7)
    length = rng.uniform([count, 1], 0.4, 0.72)
    cut = rng.uniform([count, _CUTS], 0.2, 1.2)
    distance = tf.concat([width, width, length, length, cut], 1) * scale[:, None]
    return tf.stack([tf.cos(angle), tf.sin(angle)], -1) / distance[..., None]
