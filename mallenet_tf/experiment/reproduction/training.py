"""Trains the networks of an item by the ordinary trainer, each configuration once."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from mallenet_tf.common.errors import UserError, user_input, user_output
from mallenet_tf.common.files import atomic_path, fingerprint
from mallenet_tf.experiment.configuration import plain_configuration
from mallenet_tf.experiment.gin_configuration import bound_value, parse, read_experiment
from mallenet_tf.experiment.reproduction.item import Cell, Item
from mallenet_tf.experiment.reproduction.settings import LEAVES, Settings
from mallenet_tf.experiment.run import Experiment
from mallenet_tf.image_io import list_images, list_sequences
from mallenet_tf.models import DenoisingModel, build_model

VIDEO_MEASURES = (
    *("sensor_video", "motion", "temporal_profile", "sampled_frames", "sampled_positions"),
)
PAIR_MEASURES = {"sidd": "SIDD_VALIDATION", "pairs": "PairValidation.patterns"}
# Scenes instead of videos, for training and for the validation at its end, which chooses nothing.
SCENES = (
    "run_experiment.sources = [@MovingScenes()]",
    "run_experiment.validation = @SceneValidation()",
    "MovingScenes.images = @Leaves()",
    "MovingScenes.speed = (0.0, 8.0)",
    "SceneValidation.source = @MovingScenes()",
    "SceneValidation.noise = @high/PoissonGaussianNoise()",
    "SceneValidation.count = 1",
)


def build_network(item: Item, cell: Cell) -> DenoisingModel:
    """Builds a network of the grid with fresh weights."""
    import gin

    gin.clear_config()
    parse(item.gin, cell.bindings)
    with user_input():
        return gin.get_configurable(build_model)()


@dataclasses.dataclass(frozen=True)
class Training:
    """A training that may have been done already.

    Attributes:
        experiment: What to train; its folder is named `run`.
        operative: Returns the operative gin configuration.
        run: Hash of all that the training is made of, the photographs' content included, so that
            items share runs and another setting makes another run.
    """

    experiment: Experiment
    operative: Callable[[], str]
    run: str

    def network(self) -> DenoisingModel:
        """Trains the network, resumes its training, or loads it if that is complete.

        Returns:
            The network with the averaged weights of the last step, which no score has selected.

        Raises:
            UserError: If the settings cannot work or the training was stopped.
        """
        keras.backend.clear_session()
        with user_input():
            trainer = self.experiment.trainer(self.operative)
        with user_output(self.experiment.model_dir):
            network = trainer.run()
        if trainer.step < self.experiment.options.steps:
            raise UserError("The training was stopped; the same command resumes it.")
        return network


def plan_training(item: Item, cell: Cell, seed: int, settings: Settings) -> Training:
    """Reads the configuration of a training.

    Raises:
        UserError: If the settings cannot work.
    """
    bindings = [*cell.bindings, *_data_bindings(item, settings), *settings.gin_params]
    read_experiment(Path(), item.gin, bindings)  # for the schedule, which is then shortened
    bindings += [*_scaled_bindings(settings.scale), f"run_experiment.seed = {seed}"]
    experiment, operative = read_experiment(Path(), item.gin, bindings)
    parts = {
        field.name: getattr(experiment, field.name) for field in dataclasses.fields(experiment)
    }
    del parts["model_dir"]
    text = json.dumps(plain_configuration(parts), sort_keys=True, default=str)
    text += _photographs_hash(item, settings)
    run = hashlib.sha256(text.encode()).hexdigest()[:12]
    folder = settings.output / "runs" / run
    return Training(dataclasses.replace(experiment, model_dir=folder), operative, run)


def _data_bindings(item: Item, settings: Settings) -> Sequence[str]:
    """Returns what a training reads; what it validates on is held out of it."""
    if item.measure in PAIR_MEASURES:
        if not settings.data:
            raise UserError(f"Give --data: {item.needs}.")
        return [f"{PAIR_MEASURES[item.measure]} = {settings.data[0]!r}"]
    if not settings.photographs:
        raise UserError(f"Give --photographs, or --weights: {item.needs}.")
    leaves = list(settings.photographs) == [LEAVES]
    if item.measure in VIDEO_MEASURES:
        if leaves:
            return SCENES
        with user_input():
            held_out, *videos = map(str, _videos(settings.photographs))
        return [f"VIDEOS = {videos}", f"VALIDATION = {held_out!r}"]
    with user_input():
        if leaves:
            first = str(list_images(settings.data)[0])
            return ["run_experiment.sources = [@Leaves()]", f"VALIDATION = {first!r}"]
        files = [str(path.resolve()) for path in list_images(settings.photographs)]
    held_out, *photographs = files
    listed = settings.output / "photographs.txt"
    with user_output(listed), atomic_path(listed) as temporary:
        temporary.write_text("\n".join(photographs) + "\n", encoding="utf-8")
    return [f"PHOTOGRAPHS = {str(listed)!r}", f"VALIDATION = {held_out!r}"]


def _photographs_hash(item: Item, settings: Settings) -> str:
    if item.measure in (*VIDEO_MEASURES, *PAIR_MEASURES) or list(settings.photographs) == [LEAVES]:
        return ""
    return fingerprint(list_images(settings.photographs))


def _videos(patterns: Sequence[str]) -> list[Path]:
    return [sequence.path for sequence in list_sequences(patterns)]


def _scaled_bindings(scale: float) -> list[str]:
    """Returns the schedule of the experiment that was read, shortened in proportion."""
    steps = max(1, round(bound_value("%STEPS") * scale))
    bindings = [
        f"STEPS = {steps}",
        f"TrainingOptions.validate_every = {steps}",
        f"TrainingOptions.save_every = {max(1, steps // 4)}",
        f"TrainingOptions.log_every = {max(1, steps // 10)}",
        "Validation.limit = 1",
        "NoiseValidation.limit = 1",
    ]
    boundaries = bound_value("piecewise_constant.boundaries")
    if boundaries:
        scaled = tuple(max(1, round(boundary * scale)) for boundary in boundaries)
        bindings.append(f"piecewise_constant.boundaries = {scaled}")
    warmup = bound_value("cosine.warmup")
    if warmup:
        bindings.append(f"cosine.warmup = {int(warmup * scale)}")
    for name in ("exponential.factor", "AnnealedGroups.gamma"):
        factor = bound_value(name)
        if factor:
            bindings.append(f"{name} = {factor ** (1 / scale)}")
    ema = bound_value("optimizer.ema")
    if ema and scale < 1:
        bindings.append(f"optimizer.ema = {max(0.0, min(ema, 1 - 10 / steps))}")
    return bindings
