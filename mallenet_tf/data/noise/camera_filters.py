"""The filters of a simulated camera, on float32 [channels, height, width]."""

from __future__ import annotations

import functools
import math

import tensorflow as tf

from mallenet_tf.common.srgb import LUMA
from mallenet_tf.data.random_numbers import RandomGenerator

# Columns: the camera's red, green and blue as sRGB's linear light. Means of what cameras' DNG
# matrices give, from none to strong separation; a random blend is drawn (Brooks et al. 2019).
_STRONG_MATRIX = [[1.8, -0.6, -0.2], [-0.3, 1.7, -0.4], [0.0, -0.6, 1.6]]


def luma(image: tf.Tensor) -> tf.Tensor:
    """Returns ITU-R 601 luma of [3, height, width] as [1, height, width]."""
    return tf.tensordot(tf.constant([LUMA]), image, 1)


def root_mean_square(noise: tf.Tensor) -> tf.Tensor:
    """Returns that of each channel, > 0, as [channels, 1, 1]."""
    return tf.sqrt(tf.reduce_mean(tf.square(noise), [1, 2], keepdims=True) + 1e-20)


def pad(image: tf.Tensor, margin: int) -> tf.Tensor:
    """Pads [channels, height, width], of any size, by symmetric reflection."""
    rows, columns = (_reflected(tf.shape(image)[axis], margin) for axis in (1, 2))
    return tf.gather(tf.gather(image, rows, axis=1), columns, axis=2)


def _reflected(size: tf.Tensor, margin: int) -> tf.Tensor:
    position = tf.range(-margin, size + margin) % (2 * size)
    return tf.minimum(position, 2 * size - 1 - position)


def gaussian(deviation: tf.Tensor, squared_frequency: tf.Tensor) -> tf.Tensor:
    """Returns the transfer function of a Gaussian blur.

    Args:
        deviation: Standard deviation in pixels.
        squared_frequency: As from `squared_frequency`.
    """
    return tf.exp(-2.0 * math.pi**2 * tf.square(deviation) * squared_frequency)


def unsharp_mask(amount: tf.Tensor, squared_frequency: tf.Tensor) -> tf.Tensor:
    """Returns the transfer function of an unsharp mask with a blur of 1 pixel."""
    return 1.0 + amount * (1.0 - gaussian(tf.constant(1.0), squared_frequency))


def squared_frequency(height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns the squared frequencies of a real Fourier transform, in 1 / pixel^2."""
    rows = tf.range(height)
    rows = tf.cast(tf.minimum(rows, height - rows), tf.float32) / tf.cast(height, tf.float32)
    columns = tf.cast(tf.range(width // 2 + 1), tf.float32) / tf.cast(width, tf.float32)
    return tf.square(rows)[:, None] + tf.square(columns)[None, :]


def filtered(image: tf.Tensor, transfer: tf.Tensor) -> tf.Tensor:
    """Filters [channels, height, width] by transfer functions, cyclic at the borders.

    Fourier transforms take a tenth of the time of depthwise convolutions of this size.
    """
    spectrum = tf.signal.rfft2d(image) * tf.cast(transfer, tf.complex64)
    return tf.signal.irfft2d(spectrum, tf.shape(image)[1:])


def local_deviation(image: tf.Tensor) -> tf.Tensor:
    """Returns the standard deviation of luma around each pixel, [1, height, width].

    The neighborhood is a Gaussian of 2 pixels.
    """
    bright = luma(image)
    transfer = gaussian(tf.constant(2.0), squared_frequency(tf.shape(image)[1], tf.shape(image)[2]))
    mean, mean_square = tf.split(filtered(tf.concat([bright, tf.square(bright)], 0), transfer), 2)
    return tf.sqrt(tf.maximum(mean_square - tf.square(mean), 0.0))


def scale_luma_and_chroma(
    noise: tf.Tensor, luma_scale: tf.Tensor, chroma_scale: tf.Tensor
) -> tf.Tensor:
    """Scales luma and what differs from it in each channel."""
    bright = luma(noise)
    return luma_scale * bright + chroma_scale * (noise - bright)


def color_matrices(rng: RandomGenerator) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws white balance and color matrix of a camera.

    Returns:
        From linear sRGB to the sensor's intensities and back, both [3, 3].
    """
    strength = rng.uniform([])
    matrix = (1.0 - strength) * tf.eye(3) + strength * tf.constant(_STRONG_MATRIX)
    red, blue = rng.uniform([], 1.4, 2.4), rng.uniform([], 1.3, 2.2)
    to_srgb = matrix * tf.stack([red, 1.0, blue])[None, :]
    return tf.linalg.inv(to_srgb), to_srgb


def demosaic(noise: tf.Tensor, rng: RandomGenerator) -> tf.Tensor:
    """Takes the samples of a Bayer mosaic of random phase and interpolates them bilinearly."""
    height, width = tf.shape(noise)[1], tf.shape(noise)[2]
    phase = rng.integers([2], 0, 2)
    odd_row = (tf.range(height)[:, None] + phase[0]) % 2 == 1
    odd_column = (tf.range(width)[None, :] + phase[1]) % 2 == 1
    masks = tf.stack([~odd_row & ~odd_column, odd_row ^ odd_column, odd_row & odd_column])
    samples = noise * tf.cast(masks, tf.float32)
    around = tf.pad(samples, [[0, 0], [1, 1], [1, 1]])
    rows = 0.5 * (around[:, :-2] + around[:, 2:]) + around[:, 1:-1]
    square = 0.5 * (rows[..., :-2] + rows[..., 2:]) + rows[..., 1:-1]
    green = around[1]
    neighbors = green[:-2, 1:-1] + green[2:, 1:-1] + green[1:-1, :-2] + green[1:-1, 2:]
    return tf.stack([square[0], samples[1] + 0.25 * neighbors, square[2]])


def jpeg(pixels: tf.Tensor, quality: tf.Tensor, halved: tf.Tensor) -> tf.Tensor:
    """Compresses by JPEG.

    Args:
        pixels: uint8 [height, width, 3].
        quality: int32, 1 to 100; with full chroma the nearest multiple of 5.
        halved: Whether chroma has half the resolution (4:2:0) or the full one (4:4:4).
    """
    return tf.cond(
        halved,
        lambda: tf.image.adjust_jpeg_quality(pixels, quality, "INTEGER_ACCURATE"),
        lambda: _full_chroma_jpeg(pixels, quality),
    )


def _full_chroma_jpeg(pixels: tf.Tensor, quality: tf.Tensor) -> tf.Tensor:
    # TensorFlow takes full chroma with a constant quality alone.
    def compressed(quality: int) -> tf.Tensor:
        encoded = tf.io.encode_jpeg(pixels, quality=quality, chroma_downsampling=False)
        return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")

    branches = [functools.partial(compressed, max(5 * step, 1)) for step in range(21)]
    return tf.switch_case((quality + 2) // 5, branches)
