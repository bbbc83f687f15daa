"""Dead leaves, geometry: which leaf is on top at each pixel.

Leaves have a power-law distribution of radii with exponent 3, so that every octave of sizes
covers the same area (Achddou, Gousseau and Ladjal, "Synthetic images as a regularity prior for
image restoration neural networks", 2021, section 3: the model that is invariant to scale).
Where that work uses discs, the outlines here are ellipses, lobed curves and polygons.

An outline is an implicit function of a small basis, so that one matrix product per octave
evaluates all its leaves on all their pixels.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from mallenet_tf.data.random_numbers import Draws

# Share of the canvas that the leaves of an octave would cover if none overlapped.
_COVERAGE = 0.5
# A leaf fills about this part of its bounding square (discs, thin ellipses, polygons mixed).
_FILL = 0.24
_SMALLEST_RADIUS = 3
_LARGEST_RADIUS = 192
_POLYGON_SHARE = 0.4
# The first makes an outline elliptic, the others give it lobes.
_DEGREES = (2, 3, 4, 5, 6)
# Corners cut off a parallelogram.
_CUTS = 2
# Leaves up to this radius gather in cluttered places.
_LARGEST_SMALL_BOX = 24


@dataclasses.dataclass(frozen=True)
class Octave:
    """Leaves with radii from `radius / 2` to `radius` pixels; how many of each family."""

    radius: int
    curved: int
    polygons: int


def octaves(size: int) -> list[Octave]:
    """The octaves of leaves drawn on a canvas of size x size pixels."""
    found = []
    radius = 2 * _SMALLEST_RADIUS
    while radius <= min(_LARGEST_RADIUS, size // 2):
        count = max(2, round(_COVERAGE * size**2 / (_FILL * (2 * radius) ** 2)))
        polygons = max(1, round(_POLYGON_SHARE * count))
        found.append(Octave(radius, count - polygons, polygons))
        radius *= 2
    return found


def leaf_count(size: int) -> int:
    """Number of leaves on a canvas of size x size pixels."""
    return sum(octave.curved + octave.polygons for octave in octaves(size))


@dataclasses.dataclass(frozen=True)
class Geometry:
    """A canvas of leaves.

    Attributes:
        top: int32 [size, size]; 0 where the background shows, else the number of the leaf on
            top, 1 the farthest, `leaf_count` the nearest.
        centres: float32 [leaf_count + 1, 2], (x, y) in pixels, of the background (middle of
            the canvas) and all leaves.
        radii: float32 [leaf_count + 1] in pixels.
    """

    top: tf.Tensor
    centres: tf.Tensor
    radii: tf.Tensor


def draw_geometry(draws: Draws, size: int, clutter: tf.Tensor) -> Geometry:
    """Throws leaves of all sizes onto a canvas, in random order of depth.

    Args:
        draws: Random numbers.
        size: Height and width of the canvas; leaves wrap around its borders.
        clutter: float32 [n, n]: the probability that a small leaf exists at a place, so that
            some regions are busy and others smooth.

    Returns:
        The geometry.
    """
    bands = octaves(size)
    # First the curved leaves of all octaves, then the polygons of all octaves.
    counts = [octave.curved for octave in bands] + [octave.polygons for octave in bands]
    boxes = np.repeat([octave.radius for octave in bands] * 2, counts)
    total, curved = len(boxes), sum(counts[: len(bands)])
    corners = draws.integers([total, 2], 0, size)
    centres = tf.cast(corners, tf.float32) + tf.constant(boxes[:, None] - 0.5, tf.float32)
    centres = tf.math.floormod(centres, float(size))
    scales = draws.power_law([total], 0.5, 1.0, exponent=3.0)
    order = draws.permutation(total)
    depths = tf.math.invert_permutation(order) + 1
    seen = _uncluttered(draws, centres, clutter, size) | tf.constant(boxes > _LARGEST_SMALL_BOX)
    depths_seen = tf.where(seen, depths, 0)
    outlines = [
        *tf.split(_curved(draws, scales[:curved]), counts[: len(bands)]),
        *tf.split(_polygons(draws, scales[curved:]), counts[len(bands) :]),
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
        tf.concat([middle, tf.gather(centres, order)], 0),
        tf.concat([[float(size)], tf.gather(radii, order)], 0),
    )


def _uncluttered(draws: Draws, centres: tf.Tensor, clutter: tf.Tensor, size: int) -> tf.Tensor:
    """Which leaves exist, were all of them small, bool [leaves]."""
    cells = tf.cast(centres * (clutter.shape[0] / size), tf.int32) % clutter.shape[0]
    return draws.uniform([centres.shape[0]]) < tf.gather_nd(clutter, cells[:, ::-1])


def paint(inside: tf.Tensor, corner: tf.Tensor, depth: tf.Tensor, size: int) -> tf.Tensor:
    """Depth of the nearest of these leaves at each pixel, int32 [size * size]."""
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
        outline: float32 [leaves, parts, terms], coefficients as `_curved` or `_polygons` gives
            them; a pixel is inside where all parts are below 1.
        side: Height and width of a square, which is from -1 to 1 for the outlines.

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
    # What would stick out of the square is cut off round, which no direction gives away.
    inside = (highest < 1.0) & tf.constant(np.abs(z) < 1)
    return tf.reshape(inside, [leaves, side, side])


def _curved(draws: Draws, scale: tf.Tensor) -> tf.Tensor:
    """Ellipses, half of them with lobes.

    Inside is where r^2 (1 + e cos 2(t - t0)) / (1 - e) + sum_k a_k r^k cos k(t - t_k) < 1 in
    polar coordinates (r, t). Powers of r times cos and sin of multiples of t are
    the harmonic polynomials, which form the basis.

    Returns:
        float32 [leaves, 1, terms].
    """
    count, lobes = scale.shape[0], len(_DEGREES) - 1
    flatness = draws.log_uniform([count, 1], 0.03, 1.0)
    lobed = tf.cast(draws.uniform([count, 1]) < 0.5, tf.float32)
    bumps = lobed * draws.uniform([count, lobes]) * (2.4 / np.array(_DEGREES[1:], np.float32))
    # A scaled leaf is f(x / scale): a term of degree k is divided by scale^k.
    size = tf.concat([(1.0 - flatness) / flatness, bumps], 1)
    size /= scale[:, None] ** np.array(_DEGREES, np.float32)
    angle = draws.uniform([count, lobes + 1], 0.0, 2 * np.pi)
    round_part = 1.0 / (flatness * scale[:, None] ** 2)
    terms = [round_part, size * tf.cos(angle), size * tf.sin(angle)]
    return tf.concat(terms, 1)[:, None]


def _polygons(draws: Draws, scale: tf.Tensor) -> tf.Tensor:
    """Convex polygons: a parallelogram, often a thin bar, with two corners cut at random.

    Returns:
        float32 [leaves, half-planes, 2].
    """
    count = scale.shape[0]
    first = draws.uniform([count, 1], 0.0, 2 * np.pi)
    skewed = first + np.pi / 2 + draws.uniform([count, 1], -0.5, 0.5)
    cuts = draws.uniform([count, _CUTS], 0.0, 2 * np.pi)
    angle = tf.concat([first, first + np.pi, skewed, skewed + np.pi, cuts], 1)
    width = draws.log_uniform([count, 1], 0.06, 0.7)
    length = draws.uniform([count, 1], 0.4, 0.72)
    cut = draws.uniform([count, _CUTS], 0.2, 1.2)
    distance = tf.concat([width, width, length, length, cut], 1) * scale[:, None]
    return tf.stack([tf.cos(angle), tf.sin(angle)], -1) / distance[..., None]
