"""Measures the cost of networks: parameters, FLOPs, latency, memory, and time per layer.

python -m mallenet_tf.profile --models=mallenet_s,mallenet_m --output=profile
python -m mallenet_tf.profile --models=runs/mine --sizes=256x256,1920x1080 --psnr=runs/mine=31.0
python -m mallenet_tf.profile --models=dncnn --option=depth=3 --option=dynamic=malleconv
tensorboard --logdir=profile/logs
"""

from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

from mallenet_tf.common.errors import UserError, check_flags_only, run_main
from mallenet_tf.common.startup import start_keras

_MODELS = flags.DEFINE_list(
    "models", [], "Networks by name, shipped weights, .keras files or run folders."
)
_OPTION = flags.DEFINE_multi_string(
    "option", [], "NAME=VALUE of networks by name, such as depth=3; may be repeated."
)
_SIZES = flags.DEFINE_list("sizes", ["256x256"], "Sizes of the images: WIDTHxHEIGHT.")
_IMPLEMENTATIONS = flags.DEFINE_list(
    "implementations", ["native", "reference"], "Implementations of the fused operations."
)
_PRECISIONS = flags.DEFINE_list(
    "precisions", ["float32", "mixed_bfloat16"], "float32, mixed_bfloat16, mixed_float16."
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for profile.csv, operations.csv and latency_psnr.png."
)
_LOGDIR = flags.DEFINE_string(
    "logdir", None, "Folder for TensorBoard's Profile tab; the default is OUTPUT/logs."
)
_PSNR = flags.DEFINE_list("psnr", [], "MODEL=DECIBELS: PSNRs to plot over latency.")
_MAX_BATCH = flags.DEFINE_integer(
    "max_batch", None, "Largest batch; the default is what fits, on CPUs at most 16.", 1
)
_STEPS = flags.DEFINE_integer("steps", 5, "Number of steps in a trace.", 1)


def main(argv: Sequence[str]) -> None:
    """Profiles what the command line names."""
    check_flags_only(argv)
    if not _MODELS.value:
        raise UserError("Give --models, for example --models=mallenet_s. See --help.")
    start_keras()
    from mallenet_tf.profiling import profiler

    profiler.run(
        models=_MODELS.value,
        sizes=[profiler.parse_size(text) for text in _SIZES.value],
        implementations=_IMPLEMENTATIONS.value,
        precisions=_PRECISIONS.value,
        output=Path(_OUTPUT.value) if _OUTPUT.value else None,
        logdir=Path(_LOGDIR.value) if _LOGDIR.value else None,
        psnrs=profiler.parse_psnrs(_PSNR.value, _MODELS.value),
        max_batch=_MAX_BATCH.value,
        steps=_STEPS.value,
        options=profiler.parse_options(_OPTION.value),
    )


def cli() -> None:
    """Runs the installed command."""
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
