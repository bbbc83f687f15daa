"""Which of the package's functions a gin file may configure, and how files are read.

The only module beside the binaries that knows gin; everything else takes ordinary arguments.
"""

import inspect
import re
import tokenize
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gin
import keras
from absl import logging

from mallenet_tf import data, models, training
from mallenet_tf.common.errors import UserError
from mallenet_tf.evaluation.validation import (
    NoiseValidation,
    PairValidation,
    SiddValidation,
    Validation,
)
from mallenet_tf.evaluation.video_validation import SceneValidation, VideoValidation
from mallenet_tf.experiment import run
from mallenet_tf.training import optimizers

for _configurable in (
    run.run_experiment,
    models.build_model,
    data.Drawings,
    data.FrameSequences,
    data.ImageFolder,
    data.Leaves,
    data.MovingScenes,
    data.PairFolder,
    data.PreparedImages,
    data.prepared_mix,
    data.GaussianNoise,
    data.PoissonGaussianNoise,
    data.VaryingNoise,
    data.JpegNoise,
    Validation,
    NoiseValidation,
    PairValidation,
    SiddValidation,
    SceneValidation,
    VideoValidation,
    training.TrainingOptions,
    training.l1,
    training.l2,
    training.charbonnier,
    training.log_mse,
    training.AnnealedGroups,
    optimizers.optimizer,
    optimizers.cosine,
    optimizers.exponential,
):
    gin.external_configurable(_configurable)
gin.external_configurable(
    keras.optimizers.schedules.PiecewiseConstantDecay, name="piecewise_constant"
)

# gin_configs/ of a wheel, and of a clone.
_GIN_CONFIGS = [Path(__file__).resolve().parents[level] / "gin_configs" for level in (1, 2)]


def parse(files: Sequence[str], bindings: Sequence[str]) -> None:
    """Reads gin files, then single bindings on top.

    Args:
        files: paths; they and what they include are looked for in the working directory, beside
            the files, and among the package's own.
        bindings: for example `"TrainingOptions.steps = 100"`.

    Raises:
        UserError: for a missing file, a syntax error, or a name that does not exist; the message
            names it.
    """
    for folder in [*(Path(file).resolve().parent for file in files), *_GIN_CONFIGS]:
        gin.add_config_file_search_path(str(folder))
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
        given = ", ".join([*files, *bindings])
        raise UserError(f"gin configuration ({given}): {_one_line(error)}") from error
    finally:
        logging.set_verbosity(verbosity)


def run_experiment(model_dir: Path) -> None:
    """Runs what `parse` has read; the run's folder gets the operative configuration.

    Raises:
        UserError: if the configuration binds too little, values that cannot work, or files that
            are not there, or if it is not that of the run in the folder.
    """
    try:
        gin.get_configurable("run_experiment")(
            model_dir, configuration=gin.operative_config_str, bindings=_bindings
        )
    except TypeError as error:
        # Where no other call than run_experiment's is named, the defect is ours.
        calls = re.findall(r"In call to configurable '(\w+)'", str(error))
        if set(calls) <= {"run_experiment"} and "No values supplied by Gin" not in str(error):
            raise
        raise UserError(f"gin configuration: {' '.join(str(error).split())}") from error
    except (UserError, ValueError, OSError) as error:
        raise UserError(_one_line(error)) from error


def _bindings(function: Callable) -> Mapping[str, Any]:
    """What is bound to a function's arguments; of `@scope/function`, what is bound outside it."""
    try:
        return gin.get_bindings(inspect.unwrap(function))
    except ValueError:  # none of gin's
        return {}


def _one_line(error: Exception) -> str:
    """The message, without the calls that gin lists below it."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and "In call to configurable" not in line)
