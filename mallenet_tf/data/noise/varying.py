"""White noise whose level changes over the image."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from mallenet_tf.common.checks import check_integers
from mallenet_tf.data.noise.base import NoiseModel, check_range
from mallenet_tf.data.random_numbers import RandomGenerator


@dataclasses.dataclass(frozen=True)
class VaryingNoise(NoiseModel):
    """White Gaussian noise whose standard deviation changes smoothly over the image.

    The map of standard deviations is interpolated bilinearly from `cells` x `cells` values that are
    uniform in the range. At every pixel the noise has mean 0 and the map's standard deviation.

    FFDNet (Zhang et al. 2018) evaluates noise level maps on such noise, "spatially variant AWGN".

    Attributes:
        sigma: (lowest, highest) standard deviation in 8-bit units.
        cells: Side of the coarse map, >= 1.
        conditioned: Append the map, / 255.

    Raises:
        ValueError: If a value is out of range.
    """

    sigma: tuple[float, float] = (0.0, 75.0)
    cells: int = 4

    def __post_init__(self) -> None:
        check_range("sigma", self.sigma, 0.0, 255.0)
        check_integers(1, cells=self.cells)

    def training_pair(self, clean: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rng = RandomGenerator(seed)
        low, high = (value / 255.0 for value in self.sigma)
        coarse = rng.uniform([self.cells, self.cells, 1], low, high)
        deviation = tf.image.resize(coarse, tf.shape(clean)[:2])
        noisy = clean + deviation * rng.normal(tf.shape(clean))
        if not self.conditioned:
            return noisy, clean
        return tf.concat([noisy, deviation], axis=-1), clean
