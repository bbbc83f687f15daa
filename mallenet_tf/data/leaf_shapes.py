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

from mallenet_tf.data.seeds import Draws

# Share of the canvas that the leaves of an octave would cover if none overlapped.
_COVERAGE = 0.45
# A leaf fills about this part of its bounding square (discs, thin ellipses, polygons mixed).
_FILL = 0.24
_SMALLEST_RADIUS = 3
_LARGEST_RADIUS = 192
_POLYGON_SHARE = 0.4
_LOBES = range(3, 7)
_HALF_PLANES = 6


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
    total = leaf_count(size)
    depths = draws.permutation(total) + 1
    top = tf.zeros([size * size], tf.int32)
    centres, radii, used = [], [], 0
    for octave in octaves(size):
        for count, outline in ((octave.curved, _curved), (octave.polygons, _polygons)):
            corner = draws.integers([count, 2], 0, size)
            centre = tf.cast(corner, tf.float32) + octave.radius - 0.5
            scale = draws.power_law([count], 0.5, 1.0, exponent=3.0)
            depth = depths[used : used + count]
            if octave.radius <= 8 * _SMALLEST_RADIUS:
                depth = _thin_out(draws, depth, corner, clutter, size)
            inside = outline(draws, scale, 2 * octave.radius)
            top = tf.maximum(top, _paint(inside, corner, depth, size))
            centres.append(centre)
            radii.append(scale * octave.radius)
            used += count
    order = tf.math.invert_permutation(depths - 1)
    middle = tf.constant([[size / 2, size / 2]], tf.float32)
    return Geometry(
        tf.reshape(top, [size, size]),
        tf.concat([middle, tf.gather(tf.concat(centres, 0), order)], 0),
        tf.concat([[float(size)], tf.gather(tf.concat(radii, 0), order)], 0),
    )


def _thin_out(
    draws: Draws, depth: tf.Tensor, corner: tf.Tensor, clutter: tf.Tensor, size: int
) -> tf.Tensor:
    """Puts leaves in uncluttered places behind the background (depth 0)."""
    cells = corner * clutter.shape[0] // size
    return tf.where(draws.uniform(depth.shape) < tf.gather_nd(clutter, cells[:, ::-1]), depth, 0)


def _paint(inside: tf.Tensor, corner: tf.Tensor, depth: tf.Tensor, size: int) -> tf.Tensor:
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


def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the pixels of a bounding square, [side * side], from -1 to 1."""
    line = (2 * np.arange(side) + 1 - side) / side
    y, x = np.meshgrid(line, line, indexing="ij")
    return x.ravel(), y.ravel()


def _curved(draws: Draws, scale: tf.Tensor, side: int) -> tf.Tensor:
    """Ellipses, the half of them with lobes.

    Inside is where r^2 (1 + e cos 2(t - t0)) / (1 - e) + sum_k a_k r^k cos k(t - t_k) < 1 in
    polar coordinates (r, t), and r < 1. Powers of r times cos and sin of multiples of t are
    the harmonic polynomials, which form the basis.

    Returns:
        bool [leaves, side, side].
    """
    x, y = _grid(side)
    z = x + 1j * y
    harmonics = [z**k for k in (2, *_LOBES)]
    wall = np.where(np.abs(z) < 1, 0.0, 1e6)
    basis = np.stack([np.abs(z) ** 2, wall, *(part for h in harmonics for part in (h.real, h.imag))])
    count = scale.shape[0]
    flatness = draws.log_uniform([count], 0.03, 1.0)
    lobed = tf.cast(draws.uniform([count]) < 0.5, tf.float32)
    # A scaled leaf is f(x / scale): a term of degree k is divided by scale^k.
    columns = [1.0 / (flatness * scale**2), tf.ones([count])]
    for degree in (2, *_LOBES):
        angle = draws.uniform([count], 0.0, 2 * np.pi)
        size = (1.0 - flatness) / flatness
        if degree > 2:
            size = lobed * draws.uniform([count], 0.0, 2.4 / degree)
        size = size / scale**degree
        columns += [size * tf.cos(angle), size * tf.sin(angle)]
    values = tf.matmul(tf.stack(columns, 1), tf.constant(basis, tf.float32))
    return tf.reshape(values < 1.0, [count, side, side])


def _polygons(draws: Draws, scale: tf.Tensor, side: int) -> tf.Tensor:
    """Convex polygons: a parallelogram, often a thin bar, with two corners cut at random.

    Returns:
        bool [leaves, side, side].
    """
    x, y = _grid(side)
    basis = np.stack([x, y])
    count = scale.shape[0]
    first = draws.uniform([count, 1], 0.0, 2 * np.pi)
    skewed = first + np.pi / 2 + draws.uniform([count, 1], -0.5, 0.5)
    cuts = draws.uniform([count, _HALF_PLANES - 4], 0.0, 2 * np.pi)
    angle = tf.concat([first, first + np.pi, skewed, skewed + np.pi, cuts], 1)
    width = draws.log_uniform([count, 1], 0.06, 0.7)
    length = draws.uniform([count, 1], 0.4, 0.72)
    cut = draws.uniform([count, _HALF_PLANES - 4], 0.2, 1.2)
    distance = tf.concat([width, width, length, length, cut], 1) * scale[:, None]
    normals = tf.stack([tf.cos(angle), tf.sin(angle)], -1) / distance[..., None]
    planes = tf.matmul(
        tf.reshape(normals, [count * _HALF_PLANES, 2]), tf.constant(basis, tf.float32)
    )
    farthest = tf.reduce_max(tf.reshape(planes, [count, _HALF_PLANES, side * side]), axis=1)
    return tf.reshape(farthest < 1.0, [count, side, side])
