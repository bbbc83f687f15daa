"""Dead leaves, appearance: noise fields, textures, natural colours, light and optics."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from mallenet_tf.data.random_numbers import Draws
from mallenet_tf.data.sources.leaf_shapes import Geometry

_TILE = 256
_TEXTURES = 8
_PALETTE = 5
# Opponent axes of natural colour: lightness, blue to yellow, green to magenta; orthogonal, the
# variance falls steeply from the first to the last.
_COLOUR_AXES = np.array([[1.0, 1.0, 1.0], [0.9, 0.1, -1.0], [0.45, -0.9, 0.45]])


def noise_fields(draws: Draws, slopes: tf.Tensor, stretch: tf.Tensor) -> tf.Tensor:
    """Periodic Gaussian fields with power-law amplitude spectra.

    Args:
        draws: Random numbers.
        slopes: float32 [fields]: the amplitude falls as 1 / frequency^slope. Photographs have
            about 1, 0 is white noise, 2 is smooth.
        stretch: float32 [fields]: 1 is isotropic; smaller values concentrate the spectrum
            across one random direction, which makes fibres.

    Returns:
        float32 [fields, 256, 256], mean 0, standard deviation 1.
    """
    count = slopes.shape[0]
    fy = np.fft.fftfreq(_TILE)[:, None]
    fx = np.fft.rfftfreq(_TILE)[None, :]
    angle = draws.uniform([count, 1, 1], 0.0, np.pi)
    along = tf.cos(angle) * fx + tf.sin(angle) * fy
    across = (tf.cos(angle) * fy - tf.sin(angle) * fx) / stretch[:, None, None]
    frequency = tf.sqrt(along**2 + across**2) + 1.0 / _TILE
    amplitude = frequency ** -slopes[:, None, None]
    spectrum = tf.complex(
        amplitude * draws.normal(amplitude.shape), amplitude * draws.normal(amplitude.shape)
    )
    fields = tf.signal.irfft2d(spectrum, [_TILE, _TILE])
    fields -= tf.reduce_mean(fields, [1, 2], keepdims=True)
    return fields / (tf.math.reduce_std(fields, [1, 2], keepdims=True) + 1e-12)


def texture_tiles(draws: Draws) -> tf.Tensor:
    """Textures of one canvas, float32 [8, 256, 256], standard deviation about 1."""
    slopes = draws.uniform([_TEXTURES], 0.3, 1.8)
    stretch = draws.log_uniform([_TEXTURES], 0.08, 1.0)
    fields = noise_fields(draws, slopes, stretch)
    plain, ridges, spots, grains = tf.split(fields, 4)
    # Pointwise curves give each kind its own, not Gaussian, distribution.
    ridges = 1.6 * (0.8 - tf.abs(ridges))
    spots = 1.1 * tf.tanh(3.0 * spots + draws.uniform([_TEXTURES // 4, 1, 1], -2.0, 2.0))
    grains = tf.minimum(0.7 * (tf.exp(grains) - 1.65), 4.0)
    return tf.concat([plain, ridges, spots, grains], 0)


def leaf_colours(draws: Draws, geometry: Geometry, region: tf.Tensor) -> tf.Tensor:
    """Base colours of a scene's leaves, background first.

    Lightness varies most, saturation little, and the three channels are strongly correlated,
    as in photographs. A scene has a few colours, and neighbours tend to share theirs.

    Args:
        draws: Random numbers.
        geometry: The leaves.
        region: float32 [n, n], a smooth field over the canvas, standard deviation 1.

    Returns:
        float32 [leaf_count + 1, 3] in [0.01, 1].
    """
    count = geometry.radii.shape[0]
    axes = tf.constant(_COLOUR_AXES, tf.float32)
    scene = tf.concat([draws.uniform([1, 1], 0.25, 0.6), 0.05 * draws.normal([1, 2])], 1)
    contrast = draws.uniform([1, 1], 0.4, 1.3)
    palette = scene + tf.constant([[0.21, 0.09, 0.035]]) * contrast * draws.normal([_PALETTE, 3])
    cells = geometry.centres / geometry.top.shape[0] * region.shape[0]
    cells = tf.cast(cells, tf.int32) % region.shape[0]
    place = 1.5 * tf.gather_nd(region, cells[:, ::-1]) + 0.7 * draws.normal([count])
    chosen = tf.gather(palette, tf.cast(tf.floor(place), tf.int32) % _PALETTE)
    own = tf.constant([[0.17, 0.02, 0.01]]) * contrast * draws.heavy_tailed([count, 3])
    return tf.clip_by_value(tf.matmul(chosen + own, axes), 0.01, 1.0)


def shade(
    draws: Draws, geometry: Geometry, tiles: tf.Tensor, warp: tf.Tensor, size: int
) -> tf.Tensor:
    """Relative lightness inside the leaves: texture, waves and gradients.

    Args:
        draws: Random numbers.
        geometry: Leaves in pixels twice as fine as the canvas.
        tiles: Textures as `texture_tiles` gives them.
        warp: float32 [256, 256], a smooth field that bends the waves.
        size: Height and width of the canvas.

    Returns:
        float32 [size, size], about 0 on average.
    """
    count = geometry.radii.shape[0]
    textured = tf.cast(draws.uniform([count]) < 0.8, tf.float32)
    waved = tf.cast(draws.uniform([count]) < 0.15, tf.float32)
    strength = textured * draws.log_uniform([count], 0.012, 0.45)
    wave_strength = waved * draws.log_uniform([count], 0.03, 0.5)
    wave = draws.directions(count) * draws.log_uniform([count, 1], 0.15, 2.2)
    turn = draws.directions(count) * draws.log_uniform([count, 1], 0.4, 1.6)
    slope = draws.directions(count) * draws.log_uniform([count, 1], 0.01, 0.45)
    slope *= 2.0 / geometry.radii[:, None]
    table = tf.concat(
        [
            geometry.centres / 2.0,
            slope,
            turn,
            draws.uniform([count, 2], 0.0, _TILE),
            wave,
            tf.stack([strength, wave_strength], 1),
        ],
        1,
    )
    top = tf.reshape(geometry.top[::2, ::2], [-1])
    own = tf.gather(table, top)
    which = tf.gather(draws.integers([count], 0, _TEXTURES), top)
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
    """Bilinear look-up at (x, y) in tile number `which`, periodic."""
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


def optics(draws: Draws, image: tf.Tensor, nearness: tf.Tensor) -> tf.Tensor:
    """Blurs what is out of focus, then the whole a little, or sharpens it as cameras do.

    Args:
        draws: Random numbers.
        image: float32 [size, size, 3], size a multiple of 4.
        nearness: float32 [size, size, 1] from 0 (far) to 1.

    Returns:
        float32 [size, size, 3].
    """
    size = image.shape[0]
    batch = image[None]
    half = tf.image.resize(tf.nn.avg_pool2d(batch, 2, 2, "VALID"), [size, size])[0]
    quarter = tf.image.resize(tf.nn.avg_pool2d(batch, 4, 4, "VALID"), [size, size])[0]
    depth_of_field = draws.log_uniform([], 0.3, 6.0)
    focus = draws.uniform([], 0.3, 1.0)
    defocus = tf.clip_by_value(tf.abs(nearness - focus) / depth_of_field * 2.0 - 0.3, 0.0, 2.0)
    image += tf.minimum(defocus, 1.0) * (half - image)
    image += tf.maximum(defocus - 1.0, 0.0) * (quarter - image)
    soft = tf.nn.avg_pool2d(image[None], 3, 1, "SAME")[0]
    image += draws.uniform([], -0.4, 0.6) * (soft - image)
    return _soften_chroma(image, draws.uniform([], 0.3, 1.0))


def _soften_chroma(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Colour is recorded more coarsely than lightness, by mosaic sensors and by JPEG."""
    chroma = image - tf.reduce_mean(image, axis=-1, keepdims=True)
    coarse = tf.nn.avg_pool2d(chroma[None], 2, 2, "VALID")
    coarse = tf.image.resize(coarse, image.shape[:2])[0]
    return image + strength * (coarse - chroma)
