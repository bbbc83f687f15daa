"""Shot and read noise of a sensor."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from mallenet_tf.common import srgb
from mallenet_tf.data.noise.base import NoiseModel, check_range
from mallenet_tf.data.random_numbers import RandomGenerator


@dataclasses.dataclass(frozen=True)
class PoissonGaussianNoise(NoiseModel):
    """Shot and read noise of a sensor: variance sigma_s q + sigma_r^2 at intensity q.

    The image is converted to linear light by the inverse of sRGB's transfer function, gets Gaussian
    noise of that variance, and is converted back, so that the network takes sRGB as everywhere in
    the package. In linear light the result has mean q and the variance above.

    Source: deformable_kernels.txt, "Synthetic dataset": N(0, sigma_s q + sigma_r^2). The paper
    samples the parameters "randomly" between powers of ten; here their logarithms are uniform, as
    in the source that it names, kernel prediction networks (Mildenhall et al. 2018).

    Attributes:
        sigma_s: (lowest, highest) shot noise parameter, > 0, of linear light in [0, 1].
        sigma_r: (lowest, highest) read noise standard deviation, likewise.
        conditioned: Append a noise level map with the estimate that a user can make:
            sqrt(sigma_r^2 + sigma_s q), where q is the mean over the channels of the noisy linear
            intensity, clipped at 0.

    Raises:
        ValueError: If a range is not within [1e-12, 1].
    """

    sigma_s: tuple[float, float] = (1e-4, 1e-2)
    sigma_r: tuple[float, float] = (1e-3, 10**-1.5)

    def __post_init__(self) -> None:
        check_range("sigma_s", self.sigma_s, 1e-12, 1.0)
        check_range("sigma_r", self.sigma_r, 1e-12, 1.0)

    @property
    def level_map(self) -> str:
        """The map depends on sigma_s, sigma_r and the pixel."""
        return "poisson_gaussian"

    def training_pair(self, clean: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rng = RandomGenerator(seed)
        shot = rng.log_uniform([], *self.sigma_s)
        read = rng.log_uniform([], *self.sigma_r)
        linear = srgb.to_linear(clean, tf)
        deviation = tf.sqrt(shot * linear + tf.square(read))
        noisy = linear + deviation * rng.normal(tf.shape(linear))
        if not self.conditioned:
            return srgb.to_srgb(noisy, tf), clean
        intensity = tf.reduce_mean(tf.maximum(noisy, 0.0), axis=-1, keepdims=True)
        level = tf.sqrt(tf.square(read) + shot * intensity)
        return tf.concat([srgb.to_srgb(noisy, tf), level], axis=-1), clean
