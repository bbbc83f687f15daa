"""The appearance of dead leaves: noise fields, textures, natural colors, shading and optics."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from mallenet_tf.data.random_numbers import RandomGenerator
from mallenet_tf.data.sources.leaf_shapes import Geometry

_TILE = 256
_TEXTURES = 8
_PALETTE = 5
# Opponent axes of natural color: lightness, blue to yellow, green to magenta. They are orthogonal,
# and the variance falls steeply from the first to the last.
_COLOR_AXES = np.array([[1.0, 1.0, 1.0], [0.9, 0.1, -1.0], [0.45, -0.9, 0.45]])


def noise_fields(rng: RandomGenerator, slopes: tf.Tensor, stretch: tf.Tensor) -> tf.Tensor:
    """Draws periodic Gaussian fields with power-law amplitude spectra.

    Args:
        rng: Random numbers.
        slopes: float32 [fields]: the amplitude falls as 1 / frequency^slope. White noise has 0,
            photographs about 1, smooth fields 2.
        stretch: float32 [fields]: 1 is isotropic; smaller values concentrate the spectrum across
            one random direction, which makes fibers.

    Returns:
        float32 [fields, 256, 256], mean 0, standard deviation 1.
    """
    count = slopes.shape[0]
    fy = np.fft.fftfreq(_TILE)[:, None]
    fx = np.fft.rfftfreq(_TILE)[None, :]
    angle = rng.uniform([count, 1, 1], 0.0, np.pi)
    along = tf.cos(angle) * fx + tf.sin(angle) * fy
    across = (tf.cos(angle) * fy - tf.sin(angle) * fx) / stretch[:, None, None]
    frequency = tf.sqrt(along**2 + across**2) + 1.0 / _TILE
    amplitude = frequency ** -slopes[:, None, None]
    spectrum = tf.complex(
        amplitude * rng.normal(amplitude.shape), amplitude * rng.normal(amplitude.shape)
    )
    fields = tf.signal.irfft2d(spectrum, [_TILE, _TILE])
    fields -= tf.reduce_mean(fields, [1, 2], keepdims=True)
    return fields / (tf.math.reduce_std(fields, [1, 2], keepdims=True) + 1e-12)


def texture_tiles(rng: RandomGenerator) -> tf.Tensor:
    """Draws the textures of one canvas, float32 [8, 256, 256], standard deviation about 1."""
    slopes = rng.uniform([_TEXTURES], 0.3, 1.8)
    stretch = rng.log_uniform([_TEXTURES], 0.08, 1.0)
    fields = noise_fields(rng, slopes, stretch)
    plain, ridges, spots, grains = tf.split(fields, 4)
    # Pointwise curves give each kind its own non-Gaussian distribution.
    ridges = 1.6 * (0.8 - tf.abs(ridges))
    spots = 1.1 * tf.tanh(3.0 * spots + rng.uniform([_TEXTURES // 4, 1, 1], -2.0, 2.0))
    grains = tf.minimum(0.7 * (tf.exp(grains) - 1.65), 4.0)
    return tf.concat([plain, ridges, spots, grains], 0)


def leaf_colors(rng: RandomGenerator, geometry: Geometry, region: tf.Tensor) -> tf.Tensor:
    """Draws the base colors of a scene's background and leaves.

    As in photographs, lightness varies most, saturation little, and the three channels are strongly
    correlated. A scene has few colors, and neighboring leaves tend to share theirs.

    Args:
        rng: Random numbers.
        geometry: The leaves.
        region: float32 [n, n], a smooth field over the canvas, standard deviation 1.

    Returns:
        float32 [leaf_count + 1, 3] in [0.01, 1].
    """
    count = geometry.radii.shape[0]
    axes = tf.constant(_COLOR_AXES, tf.float32)
    scene = tf.concat([rng.uniform([1, 1], 0.25, 0.6), 0.05 * rng.normal([1, 2])], 1)
    contrast = rng.uniform([1, 1], 0.4, 1.3)
    palette = scene + tf.constant([[0.21, 0.09, 0.035]]) * contrast * rng.normal([_PALETTE, 3])
    cells = geometry.centers / geometry.top.shape[0] * region.shape[0]
    cells = tf.cast(cells, tf.int32) % region.shape[0]
    place = 1.5 * tf.gather_nd(region, cells[:, ::-1]) + 0.7 * rng.normal([count])
    chosen = tf.gather(palette, tf.cast(tf.floor(place), tf.int32) % _PALETTE)
    own = tf.constant([[0.17, 0.02, 0.01]]) * contrast * rng.laplace([count, 3])
    return tf.clip_by_value(tf.matmul(chosen + own, axes), 0.01, 1.0)


def shade(
    rng: RandomGenerator, geometry: Geometry, tiles: tf.Tensor, warp: tf.Tensor, size: int
) -> tf.Tensor:
    """Draws the relative lightness inside the leaves: texture, waves and gradients.

    Args:
        rng: Random numbers.
        geometry: The leaves, at twice the resolution of the canvas.
        tiles: Textures from `texture_tiles`.
        warp: float32 [256, 256], a smooth field that bends the waves.
        size: Height and width of the canvas.

    Returns:
        float32 [size, size], about 0 on average.
    """
    count = geometry.radii.shape[0]
    textured = tf.cast(rng.uniform([count]) < 0.8, tf.float32)
    waved = tf.cast(rng.uniform([count]) < 0.15, tf.float32)
    strength = textured * rng.log_uniform([count], 0.012, 0.45)
    wave_strength = waved * rng.log_uniform([count], 0.03, 0.5)
    wave = rng.unit_vectors(count) * rng.log_uniform([count, 1], 0.15, 2.2)
    turn = rng.unit_vectors(count) * rng.log_uniform([count, 1], 0.4, 1.6)
    slope = rng.unit_vectors(count) * rng.log_uniform([count, 1], 0.01, 0.45)
    slope *= 2.0 / geometry.radii[:, None]
    table = tf.concat(
        [
            geometry.centers / 2.0,
            slope,
            turn,
            rng.uniform([count, 2], 0.0, _TILE),
            wave,
            tf.stack([strength, wave_strength], 1),
        ],
        1,
    )
    top = tf.reshape(geometry.top[::2, ::2], [-1])
    own = tf.gather(table, top)
    which = tf.gather(rng.integers([count], 0, _TEXTURES), top)
    line = tf.range(size, dtype=tf.float32)
    x = tf.reshape(tf.tile(line[None, :], [size, 1]), [-1]) - own[:, 0]
    y = tf.reshape(tf.tile(line[:, None], [1, size]), [-1]) - own[:, 1]
    u = x * own[:, 4] - y * own[:, 5] + own[:, 6]
    v = x * own[:, 5] + y * own[:, 4] + own[:, 7]
    texture = _sample(tiles, which, u, v)
    bend = _sample(warp[None], tf.zeros_like(which), x + own[:, 6], y + own[:, 7])
    waves = tf.sin(x * own[:, 8] + y * own[:, 9] + 1.5 * bend)
    gradient = tf.clip_by_value(x * own[:, 2] + y * own[:, 3], -0.6, 0.6)
    return tf.reshape(gradient + own[:, 10] * texture + own[:, 11] * waves, [size, size])


def _sample(tiles: tf.Tensor, which: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Interpolates tile number `which` bilinearly at (x, y); tiles are periodic."""
    left, up = tf.floor(x), tf.floor(y)
    fx, fy = x - left, y - up
    column, row = tf.cast(left, tf.int32), tf.cast(up, tf.int32)
    flat = tf.reshape(tiles, [-1])
    mask = _TILE - 1

    def at(dx: int, dy: int) -> tf.Tensor:
        r = tf.bitwise.bitwise_and(row + dy, mask)
        c = tf.bitwise.bitwise_and(column + dx, mask)
        return tf.gather(flat, (which * _TILE + r) * _TILE + c)

    upper = at(0, 0) + fx * (at(1, 0) - at(0, 0))
    lower = at(0, 1) + fx * (at(1, 1) - at(0, 1))
    return upper + fy * (lower - upper)


def optics(rng: RandomGenerator, image: tf.Tensor, nearness: tf.Tensor) -> tf.Tensor:
    """Blurs what is out of focus, then blurs or sharpens all a little, as cameras do.

    Args:
        rng: Random numbers.
        image: float32 [size, size, 3], size a multiple of 4.
        nearness: float32 [size, size, 1], from 0, far, to 1, near.

    Returns:
        float32 [size, size, 3].
    """
    size = image.shape[0]
    batch = image[None]
    half = tf.image.resize(tf.nn.avg_pool2d(batch, 2, 2, "VALID"), [size, size])[0]
    quarter = tf.image.resize(tf.nn.avg_pool2d(batch, 4, 4, "VALID"), [size, size])[0]
    depth_of_field = rng.log_uniform([], 0.3, 6.0)
    focus = rng.uniform([], 0.3, 1.0)
    defocus = tf.clip_by_value(tf.abs(nearness - focus) / depth_of_field * 2.0 - 0.3, 0.0, 2.0)
    image += tf.minimum(defocus, 1.0) * (half - image)
    image += tf.maximum(defocus - 1.0, 0.0) * (quarter - image)
    soft = tf.nn.avg_pool2d(image[None], 3, 1, "SAME")[0]
    image += rng.uniform([], -0.4, 0.6) * (soft - image)
    return _soften_chroma(image, rng.uniform([], 0.3, 1.0))


def _soften_chroma(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Blurs color more than lightness, as mosaic sensors and JPEG do."""
    chroma = image - tf.reduce_mean(image, axis=-1, keepdims=True)
    coarse = tf.nn.avg_pool2d(chroma[None], 2, 2, "VALID")
    coarse = tf.image.resize(coarse, image.shape[:2])[0]
    return image + strength * (coarse - chroma)
