"""A training run under Keras's JAX backend; TensorFlow need not be installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
from absl import logging

from mallenet_tf.common.errors import UserError, optional_module
from mallenet_tf.data import GaussianNoise, ImageFolder
from mallenet_tf.evaluation.validation import PairValidation, Validation
from mallenet_tf.training import AnnealedGroups, RunFolder, Trainer

if TYPE_CHECKING:
    from mallenet_tf.experiment.run import Experiment

# Bindings of which training under JAX supports less than under TensorFlow, and what it supports.
_SUPPORTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "run_experiment.sources": (
        "one ImageFolder",
        lambda sources: len(sources) == 1 and isinstance(sources[0], ImageFolder),
    ),
    "run_experiment.noise": ("GaussianNoise", lambda noise: isinstance(noise, GaussianNoise)),
    "run_experiment.validation": (
        "Validation or PairValidation",
        lambda validation: isinstance(validation, Validation | PairValidation),
    ),
    "run_experiment.loss": (
        "a function such as l1",
        lambda loss: not isinstance(loss, AnnealedGroups),
    ),
    "run_experiment.precision": (
        "float32 or mixed_bfloat16",
        lambda precision: precision != "mixed_float16",
    ),
    "run_experiment.devices": ("JAX's first device", lambda devices: devices is None),
    "TrainingOptions.accumulate": ("whole batches", lambda pieces: pieces == 1),
    "TrainingOptions.profile_steps": ("no steps to trace", lambda steps: steps is None),
}


def jax_trainer(experiment: Experiment, folder: RunFolder) -> Trainer:
    """Builds the network, restores the run's state, and copies the photographs to the device.

    Raises:
        UserError: If the experiment needs what only the TensorFlow backend has; the message names
            the binding.
    """
    check_supported(experiment)
    optional_module("jax", "jax", "jax")
    from mallenet_tf.training.jax import JaxSteps, on_device

    network, optimizer = experiment.build()
    if network.frames > 1:
        raise _unsupported("networks for single images", "build_model.frames", network.frames)
    score = experiment.validation.scorer(network)
    options, noise, seed = experiment.options, experiment.noise, experiment.seed
    steps = JaxSteps(
        network, optimizer, experiment.loss, options, noise, experiment.patch_size, seed
    )
    step = folder.restore(network, optimizer)
    if step < options.steps:
        (source,) = experiment.sources
        logging.info("Training data: %s", source.describe())
        steps.open(on_device(source.load(network.image_channels, experiment.patch_size)))
    return Trainer(folder, steps, score, options, step)


def check_supported(experiment: Experiment) -> None:
    """Raises UserError for the first binding that JAX training does not support."""
    backend = keras.backend.backend()
    if backend != "jax":
        raise UserError(
            f"Training needs Keras's TensorFlow or JAX backend. Received: KERAS_BACKEND={backend}"
        )
    for binding, (what, is_supported) in _SUPPORTED.items():
        owner, name = binding.split(".")
        value = getattr(experiment if owner == "run_experiment" else experiment.options, name)
        if not is_supported(value):
            raise _unsupported(what, binding, value)


def _unsupported(what: str, binding: str, value: object) -> UserError:
    return UserError(
        f"Training under JAX takes {what}; KERAS_BACKEND=tensorflow takes more. "
        f"Received: {binding}={value!r}"
    )
