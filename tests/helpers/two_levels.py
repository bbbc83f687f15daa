"""A network small enough to convert in seconds, with every kind of layer that MalleNet has."""

import keras
import numpy as np
from keras import layers

from mallenet_tf.layers import (
    BilinearUpsample,
    InvertedBottleneck,
    MalleConv,
    ResidualBlock,
    SpaceToDepth,
)
from mallenet_tf.models import DenoisingModel
from mallenet_tf.models.denoising_model import image_input


@keras.saving.register_keras_serializable("mallenet_tests")
class TwoLevels(DenoisingModel):
    """A pyramid of two levels, with a MalleConv in each."""

    size_multiple = 2
    kernel_spacing = 8

    def __init__(
        self,
        image_channels: int = 3,
        noise_conditioned: bool = False,
        normalization: str | None = None,
        implementation: str = "auto",
        trained_sigma: float | None = None,
        name: str = "two_levels",
    ):
        options = {"normalization": normalization}
        fused = {**options, "implementation": implementation}
        inputs, noisy = image_input(image_channels, noise_conditioned)
        coarse = layers.Conv2D(4, 3, padding="same", name="coarse")(SpaceToDepth()(inputs))
        coarse = InvertedBottleneck(4, name="bottleneck", **fused)(coarse)
        coarse = MalleConv(3, 2, blocks=1, residual=False, name="malleconv3", **fused)(coarse)
        fine = layers.Conv2D(4, 3, padding="same", name="fine")(inputs)
        fine = layers.Concatenate()([BilinearUpsample()(coarse), fine])
        fine = ResidualBlock(8, name="residual", **options)(fine)
        fine = MalleConv(1, 4, blocks=1, name="malleconv1", **fused)(fine)
        noise = layers.Conv2D(image_channels, 3, padding="same", name="noise")(fine)
        denoised = layers.Subtract(dtype="float32")([noisy, noise])
        everything = {
            **fused,
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
        }
        super().__init__(inputs, denoised, everything, name)


def trained(**options) -> TwoLevels:
    """A `TwoLevels` with weights that make all of it matter, statistics of normalisation too."""
    keras.utils.set_random_seed(0)
    model = TwoLevels(**options)
    random = np.random.default_rng(0)
    for variable in model.variables:
        if "_norm/" in variable.path:
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif "prelu" in variable.path or variable.name == "bias":
            variable.assign(random.uniform(-0.2, 0.2, variable.shape))
    model.get_layer("noise").kernel.assign(model.get_layer("noise").kernel * 0.1)
    return model
