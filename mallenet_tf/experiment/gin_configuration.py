"""Which functions and classes a gin file may configure, and how gin files are read.

Gin is imported by this room alone; everything else takes ordinary arguments.
"""

import importlib
import re
import tokenize
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import gin
import keras
from absl import logging

from mallenet_tf import data, models, training
from mallenet_tf.common.errors import UserError, user_input, user_output
from mallenet_tf.evaluation import validation
from mallenet_tf.experiment.run import Experiment
from mallenet_tf.training import optimizers

gin.external_configurable(Experiment, name="run_experiment")
for _configurable in (
    models.build_model,
    data.ImageFolder,
    data.PairFolder,
    data.GaussianNoise,
    validation.Validation,
    validation.NoiseValidation,
    validation.PairValidation,
    validation.SiddValidation,
    training.TrainingOptions,
    training.l1,
    training.l2,
    training.charbonnier,
    training.log_mse,
    training.AnnealedGroups,
    optimizers.optimizer,
    optimizers.cosine,
    optimizers.exponential,
    optimizers.trapezoid,
):
    gin.external_configurable(_configurable)
gin.external_configurable(
    keras.optimizers.schedules.PiecewiseConstantDecay, name="piecewise_constant"
)

# These import TensorFlow, which a machine that trains under JAX need not have.
_OF_TENSORFLOW = {
    "mallenet_tf.data": (
        "Drawings",
        "FrameSequences",
        "Leaves",
        "MovingScenes",
        "PreparedImages",
        "prepared_mix",
        "CameraNoise",
        "PoissonGaussianNoise",
        "RandomChoice",
        "VaryingNoise",
        "JpegNoise",
    ),
    "mallenet_tf.evaluation.video_validation": ("SceneValidation", "VideoValidation"),
}


def _refused(name: str) -> Callable[..., NoReturn]:
    """Returns a stand-in for a configurable that needs TensorFlow; it raises UserError."""

    def refuse(**bindings: Any) -> NoReturn:
        raise UserError(
            f"@{name} needs Keras's TensorFlow backend. "
            f"Received: KERAS_BACKEND={keras.backend.backend()}"
        )

    return refuse


for _module, _names in _OF_TENSORFLOW.items():
    for _name in _names:
        if keras.backend.backend() == "tensorflow":
            gin.external_configurable(getattr(importlib.import_module(_module), _name))
        else:
            gin.external_configurable(_refused(_name), name=_name)

# gin_configs/ of a wheel, and of a clone.
_GIN_CONFIGS = [Path(__file__).resolve().parents[level] / "gin_configs" for level in (1, 2)]


def parse(files: Sequence[str], bindings: Sequence[str]) -> None:
    """Reads gin files, then single bindings on top.

    Args:
        files: Paths; they and what they include are looked for in the working directory, beside
            the files, and among the package's own.
        bindings: Single bindings, for example `"TrainingOptions.steps = 100"`.

    Raises:
        UserError: If a file is missing, has a syntax error, or names something that does not exist;
            the message names it.
    """
    folders = [*(Path(file).resolve().parent for file in files), *_GIN_CONFIGS]
    for file in files:
        if not any((folder / file).is_file() for folder in (Path(), *folders)):
            raise UserError(f"There is no such gin file. Received: --gin_file={file}")
    for folder in folders:
        gin.add_config_file_search_path(str(folder))
    given = f"gin configuration ({', '.join([*files, *bindings])})"
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)  # gin reports each folder that an include is not in
    try:
        gin.parse_config_files_and_bindings(list(files), list(bindings), skip_unknown=False)
    except (
        OSError,
        SyntaxError,
        tokenize.TokenError,
        ValueError,
        AttributeError,
        NameError,
        ImportError,
    ) as error:
        raise UserError(f"{given}: {_one_line(error)}") from error
    except TypeError as error:  # gin's, for a path that is not there but could be a package's
        raise UserError(f"{given}: an included file is not there") from error
    finally:
        logging.set_verbosity(verbosity)


def read_experiment(
    model_dir: Path, files: Sequence[str], bindings: Sequence[str]
) -> tuple[Experiment, Callable[[], str]]:
    """Reads gin files and bindings, and nothing that was read before, as one experiment.

    Returns:
        The experiment, and what returns its operative configuration.

    Raises:
        UserError: As `parse` and `run_experiment`.
    """
    gin.clear_config()
    parse(files, bindings)
    with _one_line_mistakes(), user_input():
        return gin.get_configurable("run_experiment")(model_dir), gin.operative_config_str


def bound_value(name: str) -> Any:
    """Returns what a parameter or a macro (`%STEPS`) is bound to; None if to nothing."""
    try:
        return gin.query_parameter(name)
    except ValueError:
        return None


def run_experiment(model_dir: Path) -> None:
    """Runs what `parse` has read; the run's folder gets the operative configuration.

    Raises:
        UserError: If bindings are missing or cannot work, files are not there, the run in the
            folder has another configuration, its loss is no longer finite, or the folder cannot be
            written.
    """
    with _one_line_mistakes():
        with user_input():
            experiment = gin.get_configurable("run_experiment")(model_dir)
            trainer = experiment.trainer(gin.operative_config_str)
        with user_output(model_dir):
            trainer.run()


@contextmanager
def _one_line_mistakes() -> Iterator[None]:
    """Shortens mistakes in bindings to one line: gin adds lines with the calls they were in."""
    try:
        yield
    except UserError as error:
        raise UserError(_one_line(error)) from error
    except (TypeError, ValueError) as error:
        # Where no other call than run_experiment's is named, the defect is ours.
        calls = re.findall(r"In call to configurable '(\w+)'", str(error))
        if set(calls) <= {"run_experiment"} and "No values supplied by Gin" not in str(error):
            raise
        raise UserError(f"gin configuration: {' '.join(str(error).split())}") from error


def _one_line(error: Exception) -> str:
    """Returns the message without gin's lines about calls."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and "In call to configurable" not in line)
