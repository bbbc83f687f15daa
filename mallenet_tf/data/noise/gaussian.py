"""Additive white Gaussian noise: in NumPy for evaluation, in TensorFlow for training."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

from mallenet_tf.common.checks import is_number
from mallenet_tf.data.noise.base import NoiseModel

if TYPE_CHECKING:
    import tensorflow as tf


def add_gaussian_noise(
    image: np.ndarray, sigma: float, name: str, clipped: bool = False
) -> np.ndarray:
    """Adds the noise that an image is evaluated with.

    The noise depends on the image's name and shape alone: images of one size do not share it, a
    result can be repeated, and all sigmas scale one pattern. It comes from
    `numpy.random.RandomState`, whose stream is the same in all versions of NumPy.

    Args:
        image: [height, width, channels], uint8, or float in [0, 1].
        sigma: Standard deviation in 8-bit units, >= 0.
        name: Name of the image, as from `load_images`.
        clipped: False for the literature's protocol, neither clipped nor quantized; True for what
            a file holds, clipped and rounded to 1/255.

    Returns:
        float32 of the same shape; the clean image is in [0, 1].

    Raises:
        ValueError: If sigma is out of range, or the image of another type.
    """
    if not 0 <= sigma < float("inf"):
        raise ValueError(f"The noise level is a number >= 0. Received: sigma={sigma}")
    if image.dtype == np.uint8:
        clean = image / 255.0
    elif np.issubdtype(image.dtype, np.floating):
        clean = image.astype(np.float64)
    else:
        raise ValueError(f"An image is uint8 or float. Received: image.dtype={image.dtype}")
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    random = np.random.RandomState(np.frombuffer(digest, dtype="<u4"))
    noisy = clean + random.standard_normal(image.shape) * (sigma / 255.0)
    if clipped:
        noisy = np.rint(np.clip(noisy, 0.0, 1.0) * 255.0) / 255.0
    return noisy.astype(np.float32)


@dataclasses.dataclass(frozen=True)
class GaussianNoise(NoiseModel):
    """White Gaussian noise of one level for the whole image.

    Attributes:
        sigma: Standard deviation in 8-bit units; or (lowest, highest), from which every sample
            draws its own uniformly.
        conditioned: Append the noise level map sigma / 255.

    Raises:
        ValueError: If sigma is negative, or not a range.
    """

    sigma: float | tuple[float, float] = 25.0

    def __post_init__(self) -> None:
        ends = self.sigma if isinstance(self.sigma, tuple | list) else [self.sigma]
        if not all(map(is_number, ends)) or not 0 <= self.limits[0] <= self.limits[1] < math.inf:
            raise ValueError(
                "The noise level is a number >= 0 or a range (lowest, highest) of such. "
                f"Received: sigma={self.sigma!r}"
            )

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest sigma, in 8-bit units."""
        if isinstance(self.sigma, tuple | list):
            if len(self.sigma) != 2:
                raise ValueError(f"A range has two ends. Received: sigma={self.sigma}")
            return float(self.sigma[0]), float(self.sigma[1])
        return float(self.sigma), float(self.sigma)

    def training_pair(self, clean: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        import tensorflow as tf

        from mallenet_tf.data.random_numbers import ALGORITHM, fold_in

        low, high = self.limits
        sigma = tf.constant(low / 255.0, tf.float32)
        if high > low:
            sigma = tf.random.stateless_uniform(
                [], fold_in(seed, 0), low / 255.0, high / 255.0, tf.float32, alg=ALGORITHM
            )
        normal = tf.random.stateless_normal(tf.shape(clean), fold_in(seed, 1), alg=ALGORITHM)
        noisy = clean + sigma * normal
        if not self.conditioned:
            return noisy, clean
        level = tf.fill(tf.shape(clean[..., :1]), sigma)
        return tf.concat([noisy, level], axis=-1), clean
