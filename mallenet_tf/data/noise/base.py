"""What every noise model has in common.

TensorFlow is imported on use: training on Keras's JAX backend reads the parameters of a noise model
without it.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import TYPE_CHECKING

from mallenet_tf.common.checks import is_number

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoiseModel(abc.ABC):
    """Makes a network's input and target, pure functions of a clean image and a seed.

    Noise is neither clipped nor quantized, unless a model says so.

    Attributes:
        conditioned: Append a noise level map to the noisy image.
    """

    conditioned: bool = False

    @property
    def level_map(self) -> str:
        """What the noise level map holds: a key of `inference.noise_level.LEVELS`.

        A trained network carries it, so that inference computes the same or refuses.
        """
        return "sigma"

    @property
    def noise_level_maps(self) -> int:
        """Number of noise level maps that a network's input ends with."""
        return int(self.conditioned)

    @abc.abstractmethod
    def training_pair(self, clean: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes a network's input and its target.

        The target is the clean image where a model only adds noise. A model that also changes what
        the image shows, as the sharpening in a camera does, returns the target that fits.

        Args:
            clean: float32 [height, width, channels] in [0, 1].
            seed: int64 [2].

        Returns:
            The input, float32 [height, width, channels + noise_level_maps], and the target,
            float32 [height, width, channels].
        """

    def apply(self, clean: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Makes a network's input; see `training_pair`."""
        noisy, _ = self.training_pair(clean, seed)
        return noisy


def check_range(name: str, limits: tuple[float, float], low: float, high: float) -> None:
    """Checks a parameter that is a range.

    Raises:
        ValueError: Unless `limits` is (lowest, highest), two numbers within [low, high].
    """
    numbers = isinstance(limits, tuple | list) and all(map(is_number, limits))
    if not numbers or len(limits) != 2 or not low <= limits[0] <= limits[1] <= high:
        raise ValueError(
            f"{name} is a range (lowest, highest) within [{low:g}, {high:g}]. "
            f"Received: {name}={limits}"
        )
