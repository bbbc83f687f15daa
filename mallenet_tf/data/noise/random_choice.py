"""One of several noise models, drawn for every sample."""

from __future__ import annotations

import dataclasses
import functools

import tensorflow as tf

from mallenet_tf.common.checks import check_noise, is_number
from mallenet_tf.data.noise.base import NoiseModel
from mallenet_tf.data.noise.camera import CameraNoise
from mallenet_tf.data.noise.gaussian import GaussianNoise
from mallenet_tf.data.random_numbers import RandomGenerator, fold_in


@dataclasses.dataclass(frozen=True)
class RandomChoice(NoiseModel):
    """Draws one of several noise models for every sample.

    Attributes:
        models: The noise models, which append the same number of noise level maps.
        weights: How often each is drawn, in proportion.
        conditioned: Not used: the models append their own maps.

    Raises:
        ValueError: If there is no model, a weight is not positive, or the numbers of models,
            weights or noise level maps differ.
    """

    models: tuple[NoiseModel, ...] = (CameraNoise(), GaussianNoise((0.0, 75.0)))
    weights: tuple[float, ...] = (0.75, 0.25)

    def __post_init__(self) -> None:
        for model in self.models:
            check_noise(model)
        if not self.models or len(self.models) != len(self.weights):
            raise ValueError(
                "Every noise model has a weight. "
                f"Received: models={self.models}, weights={self.weights}"
            )
        if not all(is_number(weight) and weight > 0 for weight in self.weights):
            raise ValueError(f"Weights are numbers > 0. Received: weights={self.weights}")
        kinds = {model.level_map for model in self.models if model.noise_level_maps}
        if len(kinds) > 1 and kinds != {"camera", "sigma"}:
            raise ValueError(
                "The models' noise level maps mean different things. "
                f"Received: models={self.models} with maps of {sorted(kinds)}"
            )
        if self.conditioned or len({model.noise_level_maps for model in self.models}) != 1:
            raise ValueError(
                "Set `conditioned` on all of the models or on none, and not on the choice. "
                f"Received: models={self.models}, conditioned={self.conditioned}"
            )

    @property
    def level_map(self) -> str:
        """That of the models; for white noise sigma is the level that a camera's noise has."""
        kinds = {model.level_map for model in self.models}
        return "camera" if kinds == {"camera", "sigma"} else kinds.pop()

    @property
    def noise_level_maps(self) -> int:
        """Number of noise level maps that a network's input ends with."""
        return self.models[0].noise_level_maps

    def training_pair(self, clean: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rng = RandomGenerator(seed)
        logits = tf.math.log(tf.constant(self.weights, tf.float32))
        gumbel = -tf.math.log(-tf.math.log(rng.uniform([len(self.weights)], 1e-7, 1.0)))
        own_seed = fold_in(seed, 1)
        branches = [
            functools.partial(model.training_pair, clean, own_seed) for model in self.models
        ]
        return tf.switch_case(tf.argmax(logits + gumbel, output_type=tf.int32), branches)
