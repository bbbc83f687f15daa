"""One training run from its parts: what a gin file describes and `train` runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from mallenet_tf.common.checks import check_integers, check_noise, has_method
from mallenet_tf.common.errors import UserError
from mallenet_tf.data import GaussianNoise, NoiseModel, Source, training_dataset
from mallenet_tf.evaluation.validation import Validator
from mallenet_tf.models import DenoisingModel, copy_weights, load_model
from mallenet_tf.training import TrainingOptions, make_strategy, precision_policy, train
from mallenet_tf.training.settings import Bindings, flat_settings


def run_experiment(
    model_dir: Path,
    model: Callable[[], DenoisingModel],
    optimizer: Callable[[], keras.Optimizer],
    loss: Callable,
    sources: Sequence,
    noise: NoiseModel | None,
    validation: Validator,
    options: TrainingOptions,
    patch_size: int,
    initial_weights: str | None = None,
    precision: str = "float32",
    devices: Sequence[str] | None = None,
    seed: int = 0,
    configuration: Callable[[], str] | None = None,
    bindings: Bindings | None = None,
) -> DenoisingModel:
    """Trains the network that the arguments describe, or goes on with the run in `model_dir`.

    Args:
        model_dir: the run's folder.
        model: builds the network, for example `build_model` with its name bound.
        optimizer: builds the optimiser.
        loss: of clean and denoised images, one value per image, or `training.AnnealedGroups`.
        sources: clean images, `data.ImageFolder` and `data.Leaves`, or pairs with a noisy one,
            `data.PairFolder`; for a video network `data.FrameSequences` and `data.MovingScenes`.
            Mixed by their weights.
        noise: makes the network's input from clean images; None if all sources have pairs.
        validation: scores the network.
        options: steps, batch size and how often to look.
        patch_size: side of the training patches, in pixels.
        initial_weights: what to start from: weights as `models.load_model` takes them, of a network
            that differs from `model`'s in its input at most; None for random ones.
        precision: "float32", "mixed_float16" or "mixed_bfloat16".
        devices: see `training.make_strategy`.
        seed: of the initial weights and of the data.
        configuration: see `training.train`.
        bindings: of a function, such as `loss`, to its arguments that are bound elsewhere, as by
            gin; the run's folder keeps them with the rest of what decides about the weights.

    Raises:
        UserError: if the noise and the network disagree on noise level maps, the patches do not fit
            the network, or the run in `model_dir` began with another loss, noise, patch size, batch
            size, number of accumulated parts, seed, source or initial weights.
        ValueError: for an argument of the wrong kind.
    """
    _check_kinds(model, optimizer, loss, sources, validation, options)
    check_integers(1, patch_size=patch_size)
    if noise is not None:
        check_noise(noise)
    decisive = {
        "loss": loss,
        "noise": noise,
        "patch_size": patch_size,
        "batch_size": options.batch_size,
        "accumulate": options.accumulate,
        "seed": seed,
        "sources": sources,
        "initial_weights": initial_weights,
    }

    def build() -> DenoisingModel:
        keras.utils.set_random_seed(seed)
        network = model()
        level_maps = 0 if noise is None else noise.noise_level_maps
        if network.noise_conditioned != level_maps:
            raise UserError(
                "The network and the noise must agree on the number of noise level maps. Received: "
                f"build_model.noise_conditioned={network.noise_conditioned}, noise with "
                f"{level_maps} noise level maps"
            )
        if patch_size % network.size_multiple:
            raise UserError(
                f"{network.name} takes patches with sides that are multiples of "
                f"{network.size_multiple}. Received: patch_size={patch_size}"
            )
        if (
            isinstance(noise, GaussianNoise)
            and not level_maps
            and isinstance(noise.sigma, int | float)
        ):
            network.trained_sigma = float(noise.sigma)
        if initial_weights is not None:
            copy_weights(load_model(initial_weights), network)
        return network

    def make_dataset(network: DenoisingModel, **position):
        return training_dataset(
            sources,
            noise,
            batch_size=options.batch_size,
            patch_size=patch_size,
            channels=network.image_channels,
            frames=network.frames,
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
            flat_settings(decisive, bindings),
        )


def _check_kinds(
    model: Any, optimizer: Any, loss: Any, sources: Any, validation: Any, options: Any
) -> None:
    """Tells a thing from what makes it, which gin's `@name()` and `@name` do by two characters."""
    for name, value in (("model", model), ("optimizer", optimizer)):
        if not callable(value) or isinstance(value, keras.Model):
            raise ValueError(
                f"{name} is a function that builds one, in gin @build_model or @optimizer without "
                f"(). Received: {name}={value!r}"
            )
    if not callable(loss) or isinstance(loss, type):
        raise ValueError(
            "loss is a function, in gin @l1, or an instance, @AnnealedGroups() with (). "
            f"Received: loss={loss!r}"
        )
    listed = isinstance(sources, list | tuple)
    if not listed or not all(isinstance(source, Source) for source in sources):
        raise ValueError(
            f"sources is a list of sources, in gin [@Leaves()]. Received: sources={sources!r}"
        )
    if not has_method(validation, "scorer"):
        raise ValueError(
            "validation is a validation, in gin @Validation() with (). "
            f"Received: validation={validation!r}"
        )
    if not isinstance(options, TrainingOptions):
        raise ValueError(
            f"options are TrainingOptions, in gin @TrainingOptions(). Received: options={options!r}"
        )
