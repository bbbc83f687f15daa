"""What the training tests share: a small network, random patches, a validation with notes."""

import dataclasses
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from mallenet_tf import training
from mallenet_tf.data import GaussianNoise, Source
from mallenet_tf.experiment.run import Experiment
from mallenet_tf.layers import GroupAverage, MalleConv
from mallenet_tf.layers.blocks import normalization_layer
from mallenet_tf.models import DenoisingModel
from mallenet_tf.training import optimizers

PATCH = 16


@keras.saving.register_keras_serializable("mallenet_tests")
class TinyDenoiser(DenoisingModel):
    """Two convolutions around a MalleConv: traced in a second, where MalleNet-S takes twenty."""

    def __init__(
        self, width: int = 4, normalization: str | None = None, name: str = "tiny", **unused
    ):
        inputs = keras.Input((None, None, 3), name="noisy")
        # A bias before a normalization has no gradient but rounding errors, which Adam blows
        # up: it would differ between runs that are equal in all that matters.
        stem = layers.Conv2D(width, 3, padding="same", use_bias=normalization is None, name="stem")
        features = stem(inputs)
        norm = normalization_layer(normalization, "norm")
        features = features if norm is None else norm(features)
        features = layers.PReLU(shared_axes=[1, 2], name="prelu")(features)
        features = MalleConv(pool_size=2, blocks=0, implementation="reference", name="malleconv")(
            features
        )
        noise = layers.Conv2D(3, 3, padding="same", name="noise")(features)
        clean = layers.Subtract(name="denoised", dtype="float32")([inputs, noise])
        options = {
            "width": width,
            "normalization": normalization,
            "image_channels": 3,
            "noise_conditioned": False,
            "trained_sigma": None,
        }
        super().__init__(inputs, clean, options, name)


@keras.saving.register_keras_serializable("mallenet_tests")
class TinyGroups(DenoisingModel):
    """One convolution that makes two estimates; the result is their mean."""

    def __init__(self, name: str = "tiny_groups", **unused):
        inputs = keras.Input((None, None, 3), name="noisy")
        stem = layers.Conv2D(6, 3, padding="same", name="stem")
        results = layers.Activation("linear", dtype="float32", name="groups")(stem(inputs))
        mean = GroupAverage(2, dtype="float32", name="denoised")(results)
        options = {"image_channels": 3, "noise_conditioned": False, "trained_sigma": None}
        super().__init__(inputs, mean, options, name)
        self.group_results = results


@dataclasses.dataclass(frozen=True)
class Patches(Source):
    """A data source of smooth random patches; from number `white_from` on they are all white."""

    white_from: int | None = None

    def describe(self) -> str:
        return "random patches"

    def sample_function(self, shape, seed):
        def sample(number):
            key = tf.stack([tf.constant(seed, tf.int64), number])
            coarse = tf.random.stateless_uniform([4, 4, shape.channels], key, maxval=255.0)
            patch = tf.cast(tf.image.resize(coarse, 2 * [shape.patch_size]), tf.uint8)
            if self.white_from is None:
                return patch
            return tf.where(number < self.white_from, patch, tf.constant(255, tf.uint8))

        return sample


@dataclasses.dataclass
class Notes:
    """Stands in for a `Validation`: returns scripted scores and notes the weights it scores.

    Attributes:
        scores: Scores of the first, second, ... validation; the last one repeats.
        stop_at: Number of the validation, counted from 1, that sends this process SIGTERM.
        weights: Trainable weights at each validation.
    """

    scores: Sequence[float] = (1.0,)
    stop_at: int | None = None
    weights: list[list[np.ndarray]] = dataclasses.field(default_factory=list)

    def scorer(self, model):
        def score(model):
            self.weights.append(values(model))
            count = len(self.weights)
            if count == self.stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            picture = np.full((4, 12, 3), 10 * count, np.uint8)
            return {"notes": self.scores[min(count, len(self.scores)) - 1]}, {"picture": picture}

        return score


def values(model: keras.Model) -> list[np.ndarray]:
    """Returns copies of the trainable weights."""
    return [
        np.array(keras.ops.convert_to_numpy(variable)) for variable in model.trainable_variables
    ]


def adam(**options) -> Callable[[], keras.Optimizer]:
    """Returns a builder of Adam with warmup, cosine decay and a moving average.

    The epsilon keeps Adam from blowing up rounding errors of gradients that are zero.
    """
    options = {"name": "adam", "ema": 0.9, "epsilon": 1e-4, **options}
    return lambda: optimizers.optimizer(
        learning_rate=optimizers.cosine(1e-2, 20, warmup=2), **options
    )


def experiment(folder: Path, steps: int, **changes) -> DenoisingModel:
    """Runs a `small_experiment`."""
    return small_experiment(folder, steps, **changes).run()


def small_experiment(folder: Path, steps: int, **changes) -> Experiment:
    """Describes a small run; `changes` are arguments of it or of its `TrainingOptions`."""
    names = {field.name for field in dataclasses.fields(training.TrainingOptions)}
    options = {
        "steps": steps,
        "batch_size": 8,
        "log_every": 1,
        "validate_every": 1000,
        "save_every": 1000,
        **{name: changes.pop(name) for name in names & set(changes)},
    }
    arguments = {
        "model": TinyDenoiser,
        "optimizer": adam(),
        "loss": training.l1,
        "sources": [Patches()],
        "noise": GaussianNoise(25.0),
        "validation": Notes(),
        "patch_size": PATCH,
        **changes,
    }
    return Experiment(model_dir=folder, options=training.TrainingOptions(**options), **arguments)


def state(folder: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a run's state."""
    with np.load(folder / "state.npz") as stored:
        return dict(stored)


def assert_same_state(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    """Asserts that every array is equal, bit for bit."""
    assert list(first) == list(second)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def assert_close_state(
    first: dict[str, np.ndarray], second: dict[str, np.ndarray], tolerance: float
) -> None:
    """Asserts that every array is equal to an absolute tolerance."""
    assert list(first) == list(second)
    for name, array in first.items():
        np.testing.assert_allclose(array, second[name], 0, tolerance, err_msg=name)


def logged(folder: Path):
    """Returns the scalars of a run by tag as (step, value), and its TensorBoard accumulator."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0, "images": 0})
    events.Reload()
    scalars = {}
    for tag in events.Tags()["tensors"]:
        parts = [(event.step, tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
        if all(array.dtype == np.float32 for _, array in parts):
            scalars[tag] = [(step, float(array)) for step, array in parts]
    return scalars, events
