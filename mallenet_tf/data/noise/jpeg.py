"""Noise that was compressed by JPEG."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from mallenet_tf.common.checks import check_noise
from mallenet_tf.data.noise.base import NoiseModel, check_range
from mallenet_tf.data.noise.gaussian import GaussianNoise
from mallenet_tf.data.random_numbers import ALGORITHM, fold_in


@dataclasses.dataclass(frozen=True)
class JpegNoise(NoiseModel):
    """Another noise, then clipping, rounding to 8 bits and JPEG, as in a camera's files.

    On a gray image at quality 100 the result has the mean of the clipped noisy image and the
    variance of its noise, plus about 1/12 of an 8-bit step squared for each rounding. Lower
    qualities remove noise at fine scales and add errors of the codec. In color, JPEG halves the
    resolution of chroma, and with it the noise there.

    CBDNet (Guo et al. 2019) and SCUNet (Zhang et al. 2022) compress their simulated noise likewise.

    Attributes:
        noise: The noise before the compression; its noise level maps are passed on.
        quality: (lowest, highest) quality of libjpeg, integers from 1 to 100, both included.
        conditioned: Append the map 1 - quality / 100.

    Raises:
        ValueError: If `noise` is not a noise model, or the range is not within [1, 100].
    """

    noise: NoiseModel = GaussianNoise((0.0, 25.0))
    quality: tuple[int, int] = (50, 100)

    def __post_init__(self) -> None:
        check_noise(self.noise)
        check_range("quality", self.quality, 1, 100)

    @property
    def level_map(self) -> str:
        """Its own map holds the quality; others are those of the noise."""
        return "jpeg" if self.conditioned else self.noise.level_map

    @property
    def noise_level_maps(self) -> int:
        """Number of noise level maps that a network's input ends with."""
        return self.noise.noise_level_maps + int(self.conditioned)

    def training_pair(self, clean: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        channels = clean.shape[-1]
        noisy, target = self.noise.training_pair(clean, fold_in(seed, 0))
        image, maps = noisy[..., :channels], noisy[..., channels:]
        quality = tf.random.stateless_uniform(
            [], fold_in(seed, 1), self.quality[0], self.quality[1] + 1, tf.int32, alg=ALGORITHM
        )
        pixels = tf.cast(tf.round(tf.clip_by_value(image, 0.0, 1.0) * 255.0), tf.uint8)
        # TensorFlow's default, the fast transform, darkens by half an 8-bit step and adds variance.
        decoded = tf.image.adjust_jpeg_quality(pixels, quality, "INTEGER_ACCURATE")
        compressed = tf.cast(decoded, tf.float32) / np.float32(255.0)
        if not self.conditioned:
            return tf.concat([compressed, maps], axis=-1), target
        compression = 1.0 - tf.cast(quality, tf.float32) / 100.0
        own_map = tf.fill(tf.shape(clean[..., :1]), compression)
        return tf.concat([compressed, maps, own_map], axis=-1), target
