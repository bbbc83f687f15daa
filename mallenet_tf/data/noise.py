"""Additive white Gaussian noise: for evaluation in NumPy, for training in TensorFlow."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mallenet_tf.common.checks import is_number

if TYPE_CHECKING:
    import tensorflow as tf


class NoiseModel(Protocol):
    """What makes a network's input from a clean image."""

    @property
    def extra_channels(self) -> int:
        """How many channels the input has more than the image: planes of noise parameters."""

    def apply(self, clean: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """float32 [H, W, channels] in [0, 1] to [H, W, channels + extra_channels].

        A pure function of the image and the seed, int64 [2].
        """


def add_gaussian_noise(
    image: np.ndarray, sigma: float, name: str, clipped: bool = False
) -> np.ndarray:
    """Adds the evaluation noise of one image.

    The noise depends on the image's name and shape alone, so that images of one size do not
    share noise, a result can be repeated, and all sigmas see the same pattern scaled. It is
    drawn from `numpy.random.RandomState`, whose stream is frozen over NumPy versions.

    Args:
        image: [height, width, channels], uint8, or float in [0, 1].
        sigma: Standard deviation in 8-bit units, >= 0.
        name: The image's name, as `load_images` gives it.
        clipped: False for the literature's protocol (neither clipped nor quantized); True for
            what a file on disk holds (clipped, rounded to 1/255).

    Returns:
        float32 of the same shape, in units where the clean image is in [0, 1].

    Raises:
        ValueError: for a sigma out of range or another type of image.
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
class GaussianNoise:
    """White Gaussian noise for training, neither clipped nor quantized.

    Attributes:
        sigma: Standard deviation in 8-bit units; or (low, high), from which every sample draws
            its own uniformly.
        conditioned: Append the plane sigma / 255 as the input's last channel.
    """

    sigma: float | tuple[float, float] = 25.0
    conditioned: bool = False

    def __post_init__(self) -> None:
        ends = self.sigma if isinstance(self.sigma, tuple | list) else [self.sigma]
        if not all(map(is_number, ends)) or not 0 <= self.limits[0] <= self.limits[1] < math.inf:
            raise ValueError(
                "The noise level is a number >= 0 or a range (low, high) of such. "
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

    @property
    def extra_channels(self) -> int:
        """How many channels the input has more than the image."""
        return int(self.conditioned)

    def apply(self, clean: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Makes one network input.

        Args:
            clean: float32 [height, width, channels] in [0, 1].
            seed: int64 [2]; the result is a pure function of it and the image.

        Returns:
            float32 [height, width, channels + extra_channels].
        """
        import tensorflow as tf

        from mallenet_tf.data.random_numbers import ALGORITHM, fold

        low, high = self.limits
        sigma = tf.constant(low / 255.0, tf.float32)
        if high > low:
            sigma = tf.random.stateless_uniform(
                [], fold(seed, 0), low / 255.0, high / 255.0, tf.float32, alg=ALGORITHM
            )
        normal = tf.random.stateless_normal(tf.shape(clean), fold(seed, 1), alg=ALGORITHM)
        noisy = clean + sigma * normal
        if not self.conditioned:
            return noisy
        return tf.concat([noisy, tf.fill(tf.shape(clean[..., :1]), sigma)], axis=-1)
