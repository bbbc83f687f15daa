"""Trains a denoiser that gin files describe.

    python -m mallenet_tf.train --gin_file=experiments/quickstart.gin --model_dir=runs/quickstart

A run that was stopped is resumed by the same command. KERAS_BACKEND=jax trains under JAX, with the
photographs on the device and without TensorFlow.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import app, flags, logging

from mallenet_tf.common.errors import UserError, run_main
from mallenet_tf.common.startup import start_keras

_GIN_FILE = flags.DEFINE_multi_string("gin_file", [], "Configuration file; may be repeated.")
_GIN_PARAM = flags.DEFINE_multi_string(
    "gin_param", [], "Single binding that overrides the files, e.g. 'STEPS = 100'; may be repeated."
)
_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of the run: states, models, logs.")


def main(argv: Sequence[str]) -> None:
    """Runs or resumes the training that the flags describe."""
    if len(argv) > 1:
        raise UserError(f"train takes flags only. Received: {' '.join(argv[1:])}")
    if not _GIN_FILE.value or not _MODEL_DIR.value:
        raise UserError("Give --gin_file and --model_dir; gin_configs/ has files to start from.")
    start_keras()
    from mallenet_tf.experiment import gin_configuration

    gin_configuration.parse(_GIN_FILE.value, _GIN_PARAM.value)
    gin_configuration.run_experiment(Path(_MODEL_DIR.value))


def cli() -> None:
    """Entry point of the installed command."""
    logging.set_verbosity(logging.INFO)
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
