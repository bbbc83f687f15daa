"""One training run from its parts: what a gin file describes and `train` runs."""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from mallenet_tf.data import GaussianNoise, training_dataset
from mallenet_tf.errors import UserError
from mallenet_tf.models import Denoiser
from mallenet_tf.training import TrainingOptions, make_strategy, precision_policy, train
from mallenet_tf.validation import Validation


def run_experiment(
    model_dir: Path,
    model: Callable[[], Denoiser],
    optimizer: Callable[[], keras.Optimizer],
    loss: Callable,
    sources: Sequence,
    noise: GaussianNoise,
    validation: Validation,
    options: TrainingOptions,
    patch_size: int,
    precision: str = "float32",
    devices: Sequence[str] | None = None,
    seed: int = 0,
    configuration: Callable[[], str] | None = None,
) -> Denoiser:
    """Trains the network that the arguments describe, or goes on with the run in `model_dir`.

    Args:
        model_dir: the run's folder.
        model: builds the network, for example `build_model` with its name bound.
        optimizer: builds the optimiser.
        loss: of clean and denoised images, one value per image.
        sources: clean images: `data.ImageFolder`, `data.Leaves`; mixed by their weights.
        noise: makes the network's input.
        validation: scores the network.
        options: steps, batch size and how often to look.
        patch_size: side of the training patches, in pixels.
        precision: "float32", "mixed_float16" or "mixed_bfloat16".
        devices: see `training.make_strategy`.
        seed: of the initial weights and of the data.
        configuration: see `training.train`.

    Raises:
        UserError: if the noise and the network disagree on the noise level plane, or the patches
            do not fit the network.
    """

    def build() -> Denoiser:
        keras.utils.set_random_seed(seed)
        network = model()
        if network.noise_conditioned != noise.conditioned:
            raise UserError(
                "The network and the noise must agree on the noise level plane. Received: "
                f"build_model.noise_conditioned={network.noise_conditioned}, "
                f"GaussianNoise.conditioned={noise.conditioned}"
            )
        if patch_size % network.size_multiple:
            raise UserError(
                f"{network.name} takes patches with sides that are multiples of "
                f"{network.size_multiple}. Received: patch_size={patch_size}"
            )
        if not noise.conditioned and isinstance(noise.sigma, int | float):
            network.trained_sigma = float(noise.sigma)
        return network

    def make_dataset(network: Denoiser, **position):
        return training_dataset(
            sources,
            noise,
            batch_size=options.batch_size,
            patch_size=patch_size,
            channels=network.image_channels,
            seed=seed,
            **position,
        )

    with precision_policy(precision):
        return train(
            model_dir,
            build,
            optimizer,
            loss,
            make_dataset,
            validation.scorer,
            options,
            make_strategy(devices),
            configuration,
        )
