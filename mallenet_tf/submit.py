"""Denoises a real-noise benchmark and writes what its server takes.

python -m mallenet_tf.submit --weights=WEIGHTS --benchmark=sidd --data=DIR --output=S.mat
python -m mallenet_tf.submit --weights=WEIGHTS --benchmark=sidd_kaggle --data=DIR --output=S.csv
python -m mallenet_tf.submit --weights=WEIGHTS --benchmark=dnd --data=DIR --output=bundled/
"""

from collections.abc import Sequence
from pathlib import Path

from absl import app, flags, logging

from mallenet_tf.common.errors import UserError, check_flags_only, run_main
from mallenet_tf.common.startup import start_keras

_WEIGHTS = flags.DEFINE_string("weights", None, "Shipped name, .keras file or run folder.")
_BENCHMARK = flags.DEFINE_string(
    "benchmark", None, "sidd: SubmitSrgb.mat; sidd_kaggle: the CSV; dnd: a folder of .mat files."
)
_DATA = flags.DEFINE_string(
    "data", None, "Folder with BenchmarkNoisyBlocksSrgb.mat, or with info.mat and images_srgb/."
)
_OUTPUT = flags.DEFINE_string("output", None, "File to write; for dnd a new folder.")
_ABOUT = flags.DEFINE_multi_string(
    "about", [], "KEY=TEXT for SIDD's OptionalData, e.g. Authors=...; repeatable."
)
_ENSEMBLE = flags.DEFINE_bool("ensemble", False, "Average over the 8 flips and rotations.")


def main(argv: Sequence[str]) -> None:
    """Writes the submission that the command line names."""
    check_flags_only(argv)
    if not (_WEIGHTS.value and _BENCHMARK.value and _DATA.value and _OUTPUT.value):
        raise UserError("Give --weights, --benchmark, --data and --output; --helpfull says more.")
    start_keras()
    from mallenet_tf.evaluation import submission

    submission.submit(
        weights=_WEIGHTS.value,
        benchmark=_BENCHMARK.value,
        data=Path(_DATA.value),
        output=Path(_OUTPUT.value),
        about=submission.parse_about(_ABOUT.value),
        ensemble=_ENSEMBLE.value,
    )
    print(f"Wrote {_OUTPUT.value}")


def cli() -> None:
    """Runs the installed command."""
    logging.set_verbosity(logging.INFO)
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
