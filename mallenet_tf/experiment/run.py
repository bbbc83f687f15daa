"""One training run from its parts: what a gin file describes and `train` runs."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from mallenet_tf.common.checks import check_integers, check_noise, has_method
from mallenet_tf.common.errors import UserError
from mallenet_tf.data import GaussianNoise, NoiseModel, Source
from mallenet_tf.evaluation.validation import Validator
from mallenet_tf.experiment.configuration import plain_configuration
from mallenet_tf.models import DenoisingModel, copy_weights, load_model
from mallenet_tf.training import RunFolder, Trainer, TrainingOptions, precision_policy
from mallenet_tf.training.losses import Loss
from mallenet_tf.training.precision import scale_loss_for


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Trains a network, or resumes the run in `model_dir`; `run_experiment` in gin files.

    Attributes:
        model_dir: Folder of the run.
        model: Builds the network, for example `build_model` with its name bound.
        optimizer: Builds the optimizer.
        loss: Function of clean and denoised images, one value per image, or
            `training.AnnealedGroups`.
        sources: Sources of clean images, such as `data.ImageFolder` and `data.Leaves`, or of pairs
            with a noisy one, `data.PairFolder`; for a video network `data.FrameSequences` and
            `data.MovingScenes`. They are mixed by their weights.
        noise: Makes the network's input from clean images; None if all sources have pairs.
        validation: Scores the network.
        options: Steps, batch size, and how often to log, validate and save.
        patch_size: Side of the training patches, in pixels.
        initial_weights: Weights to start from, as `models.load_model` takes them, of a network
            that differs from `model`'s in its input at most, or is narrower by a whole factor;
            None for random ones.
        precision: "float32", "mixed_float16" or "mixed_bfloat16".
        devices: Devices to train on; see `training.make_strategy`.
        seed: Seed of the initial weights and of the data.

    Raises:
        ValueError: If an argument is of the wrong kind.
    """

    model_dir: Path
    model: Callable[[], DenoisingModel]
    optimizer: Callable[[], keras.Optimizer]
    loss: Loss
    sources: Sequence[Source]
    noise: NoiseModel | None
    validation: Validator
    options: TrainingOptions
    patch_size: int
    initial_weights: str | Path | None = None
    precision: str = "float32"
    devices: Sequence[str] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check_kinds(self.model, self.optimizer, self.loss, self.sources, self.validation)
        if not isinstance(self.options, TrainingOptions):
            raise ValueError(
                "options must be TrainingOptions, in gin @TrainingOptions() with (). "
                f"Received: options={self.options!r}"
            )
        check_integers(1, patch_size=self.patch_size)
        if self.noise is not None:
            check_noise(self.noise)

    def run(self) -> DenoisingModel:
        """Trains, and returns the network with the averaged weights.

        Raises:
            UserError: If the run in `model_dir` began with another configuration, the parts do not
                fit each other, or the loss is no longer finite.
        """
        return self.trainer().run()

    def trainer(self, config_text: Callable[[], str] | None = None) -> Trainer:
        """Builds the network, restores the run's state, and opens the data where it ended.

        Args:
            config_text: Returns what the run's `config.gin` shall hold.
        """
        parts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del parts["model_dir"]
        folder = RunFolder(Path(self.model_dir), plain_configuration(parts), config_text)
        if keras.backend.backend() == "tensorflow":
            return self._tensorflow_trainer(folder)
        from mallenet_tf.experiment.jax_run import jax_trainer

        return jax_trainer(self, folder)

    def _tensorflow_trainer(self, folder: RunFolder) -> Trainer:
        from mallenet_tf.data import training_dataset
        from mallenet_tf.training import EventLog, TensorFlowSteps, make_strategy

        strategy = make_strategy(self.devices)
        with strategy.scope():
            network, optimizer = self.build()
        score = self.validation.scorer(network)
        steps = TensorFlowSteps(strategy, network, optimizer, self.loss, self.options, folder.path)
        step = folder.restore(network, optimizer, steps.replicas)
        steps.check_same_state(step)
        if step < self.options.steps:
            dataset = training_dataset(
                self.sources,
                self.noise,
                batch_size=self.options.batch_size,
                patch_size=self.patch_size,
                channels=network.image_channels,
                frames=network.frames,
                seed=self.seed,
                start_step=step,
                **steps.shard,
            )
            steps.open(dataset)
        events = EventLog(folder.path, writes=steps.worker == 0)
        return Trainer(folder, steps, score, self.options, step, events)

    def build(self) -> tuple[DenoisingModel, keras.Optimizer]:
        """Builds the network with its initial weights, and the optimizer.

        Raises:
            UserError: If the noise or the patches do not fit the network.
        """
        keras.utils.set_random_seed(self.seed)
        with precision_policy(self.precision):
            network = self.model()
        self._check_fit(network)
        if isinstance(self.noise, GaussianNoise) and not self.noise.conditioned:
            if isinstance(self.noise.sigma, int | float):
                network.trained_sigma = float(self.noise.sigma)
        if self.noise is not None and self.noise.noise_level_maps:
            network.level_map = self.noise.level_map
        if self.initial_weights is not None:
            copy_weights(load_model(self.initial_weights), network)
        optimizer = scale_loss_for(self.precision, self.optimizer())
        optimizer.build(network.trainable_variables)
        return network, optimizer

    def _check_fit(self, network: DenoisingModel) -> None:
        level_maps = 0 if self.noise is None else self.noise.noise_level_maps
        if network.noise_conditioned != level_maps:
            raise UserError(
                "The network and the noise must agree on the number of noise level maps. Received: "
                f"build_model.noise_conditioned={network.noise_conditioned}, "
                f"noise.noise_level_maps={level_maps}"
            )
        if self.patch_size % network.size_multiple:
            raise UserError(
                f"{network.name} takes patches with sides that are multiples of "
                f"{network.size_multiple}. Received: patch_size={self.patch_size}"
            )


def _check_kinds(model: Any, optimizer: Any, loss: Any, sources: Any, validation: Any) -> None:
    """Checks for builders where objects belong, and vice versa: gin's `@name` and `@name()`."""
    for name, value in (("model", model), ("optimizer", optimizer)):
        if not callable(value) or isinstance(value, keras.Model):
            raise ValueError(
                f"{name} must be a function that builds one, in gin @build_model or @optimizer "
                f"without (). Received: {name}={value!r}"
            )
    if not callable(loss) or isinstance(loss, type):
        raise ValueError(
            "loss must be a function, in gin @l1, or an instance, @AnnealedGroups() with (). "
            f"Received: loss={loss!r}"
        )
    listed = isinstance(sources, list | tuple)
    if not listed or not all(isinstance(source, Source) for source in sources):
        raise ValueError(
            f"sources must be a list of sources, in gin [@Leaves()]. Received: sources={sources!r}"
        )
    if not has_method(validation, "scorer"):
        raise ValueError(
            "validation must be a validation, in gin @Validation() with (). "
            f"Received: validation={validation!r}"
        )
