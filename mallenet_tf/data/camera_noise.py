"""Noise closer to a camera's than one Gaussian: signal-dependent, uneven, compressed.

All of them work as `GaussianNoise` does: neither clipped nor quantized (but for JPEG, which is
both), a pure function of image and seed, with a plane of their parameter behind the image if they
are `conditioned`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from mallenet_tf.common import srgb
from mallenet_tf.common.checks import check_integers, check_noise, is_number
from mallenet_tf.data.noise import GaussianNoise, NoiseModel
from mallenet_tf.data.random_numbers import ALGORITHM, Draws, fold


def to_linear(image: tf.Tensor) -> tf.Tensor:
    """From sRGB values to linear light: inverse gamma; odd, so that a value keeps its sign."""
    return srgb.to_linear(tf.convert_to_tensor(image), tf)


def to_srgb(linear: tf.Tensor) -> tf.Tensor:
    """From linear light to sRGB values, the inverse of `to_linear`."""
    return srgb.to_srgb(tf.convert_to_tensor(linear), tf)


def _check_range(name: str, limits: tuple[float, float], low: float, high: float) -> None:
    numbers = isinstance(limits, tuple | list) and all(map(is_number, limits))
    if not numbers or len(limits) != 2 or not low <= limits[0] <= limits[1] <= high:
        raise ValueError(
            f"{name} is a range (lowest, highest) within [{low:g}, {high:g}]. "
            f"Received: {name}={limits}"
        )


@dataclasses.dataclass(frozen=True)
class PoissonGaussianNoise:
    """Shot and read noise of a sensor: variance sigma_s q + sigma_r^2 at intensity q.

    The image is brought to linear light by sRGB's inverse gamma, gets Gaussian noise of that
    variance, and is brought back, so that the network sees sRGB as everywhere else in the package.
    `to_linear` of the result is the linear noisy image: mean q, variance as above.

    Source: deformable_kernels.txt, "Synthetic dataset": N(0, sigma_s q + sigma_r^2). The paper
    samples "randomly" between powers of ten; we take the logarithms uniform, as the source that it
    names, kernel prediction networks (Mildenhall et al. 2018), does.

    Attributes:
        sigma_s: (lowest, highest) shot noise parameter, > 0, of linear light in [0, 1].
        sigma_r: (lowest, highest) read noise standard deviation, likewise.
        conditioned: Append a plane with the estimate of the noise level that a user can make:
            sqrt(sigma_r^2 + sigma_s q), with q the noisy linear intensity, clipped at 0, mean over
            the channels.
    """

    sigma_s: tuple[float, float] = (1e-4, 1e-2)
    sigma_r: tuple[float, float] = (1e-3, 10**-1.5)
    conditioned: bool = False

    def __post_init__(self) -> None:
        _check_range("sigma_s", self.sigma_s, 1e-12, 1.0)
        _check_range("sigma_r", self.sigma_r, 1e-12, 1.0)

    @property
    def extra_channels(self) -> int:
        """How many channels the input has more than the image."""
        return int(self.conditioned)

    def apply(self, clean: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Makes one network input; see `GaussianNoise.apply`."""
        draws = Draws(seed)
        shot = draws.log_uniform([], *self.sigma_s)
        read = draws.log_uniform([], *self.sigma_r)
        linear = to_linear(clean)
        deviation = tf.sqrt(shot * linear + tf.square(read))
        noisy = linear + deviation * draws.normal(tf.shape(linear))
        if not self.conditioned:
            return to_srgb(noisy)
        intensity = tf.reduce_mean(tf.maximum(noisy, 0.0), axis=-1, keepdims=True)
        level = tf.sqrt(tf.square(read) + shot * intensity)
        return tf.concat([to_srgb(noisy), level], axis=-1)


@dataclasses.dataclass(frozen=True)
class VaryingNoise:
    """White Gaussian noise whose standard deviation changes smoothly over the image.

    The map of deviations is `cells` x `cells` values, uniform in the range, interpolated
    bilinearly: at every pixel the noise has mean 0 and the map's deviation.

    Attributes:
        sigma: (lowest, highest) standard deviation in 8-bit units.
        cells: Side of the coarse map, >= 1.
        conditioned: Append the map, / 255, as the input's last channel.
    """

    sigma: tuple[float, float] = (0.0, 75.0)
    cells: int = 4
    conditioned: bool = False

    def __post_init__(self) -> None:
        _check_range("sigma", self.sigma, 0.0, 255.0)
        check_integers(1, cells=self.cells)

    @property
    def extra_channels(self) -> int:
        """How many channels the input has more than the image."""
        return int(self.conditioned)

    def apply(self, clean: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Makes one network input; see `GaussianNoise.apply`."""
        draws = Draws(seed)
        low, high = (value / 255.0 for value in self.sigma)
        coarse = draws.uniform([self.cells, self.cells, 1], low, high)
        deviation = tf.image.resize(coarse, tf.shape(clean)[:2])
        noisy = clean + deviation * draws.normal(tf.shape(clean))
        return tf.concat([noisy, deviation], axis=-1) if self.conditioned else noisy


@dataclasses.dataclass(frozen=True)
class JpegNoise:
    """Another noise, then clipping, rounding to 8 bits and JPEG, as a camera's files have it.

    On a gray image at quality 100 the result has the mean of the clipped noisy image and the
    variance of its noise, plus about 1/12 of an 8-bit step squared per rounding. Lower qualities
    take noise away at fine scales and add the codec's errors. In colour JPEG halves the
    resolution of the chroma, and with it their noise.

    Attributes:
        noise: What comes before; its plane, if it has one, is passed on.
        quality: (lowest, highest) of libjpeg, whole numbers from 1 to 100, both possible.
        conditioned: Append the plane 1 - quality / 100 as the input's last channel.
    """

    noise: NoiseModel = GaussianNoise((0.0, 25.0))
    quality: tuple[int, int] = (50, 100)
    conditioned: bool = False

    def __post_init__(self) -> None:
        check_noise(self.noise)
        _check_range("quality", self.quality, 1, 100)

    @property
    def extra_channels(self) -> int:
        """How many channels the input has more than the image."""
        return self.noise.extra_channels + int(self.conditioned)

    def apply(self, clean: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Makes one network input; see `GaussianNoise.apply`."""
        channels = clean.shape[-1]
        noisy = self.noise.apply(clean, fold(seed, 0))
        image, planes = noisy[..., :channels], noisy[..., channels:]
        quality = tf.random.stateless_uniform(
            [], fold(seed, 1), self.quality[0], self.quality[1] + 1, tf.int32, alg=ALGORITHM
        )
        pixels = tf.cast(tf.round(tf.clip_by_value(image, 0.0, 1.0) * 255.0), tf.uint8)
        # TensorFlow's default, the fast transform, darkens by half an 8-bit step and adds variance.
        decoded = tf.image.adjust_jpeg_quality(pixels, quality, "INTEGER_ACCURATE")
        parts = [tf.cast(decoded, tf.float32) / np.float32(255.0), planes]
        if self.conditioned:
            loss = 1.0 - tf.cast(quality, tf.float32) / 100.0
            parts.append(tf.fill(tf.shape(clean[..., :1]), loss))
        return tf.concat(parts, axis=-1)
