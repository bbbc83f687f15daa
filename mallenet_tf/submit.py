"""Denoises a real-noise benchmark and writes what its server takes.

python -m mallenet_tf.submit --weights=WEIGHTS --benchmark=sidd --data=DIR --output=S.mat
python -m mallenet_tf.submit --weights=WEIGHTS --benchmark=sidd_kaggle --data=DIR --output=S.csv
python -m mallenet_tf.submit --weights=WEIGHTS --benchmark=dnd --data=DIR --output=bundled/
"""

from collections.abc import Sequence
from pathlib import Path

from absl import app, flags, logging

from mallenet_tf.common.errors import UserError, run_main

_WEIGHTS = flags.DEFINE_string("weights", None, "Shipped name, .keras file or run folder.")
_BENCHMARK = flags.DEFINE_string(
    "benchmark", None, "sidd: SubmitSrgb.mat; sidd_kaggle: the CSV; dnd: a folder of .mat files."
)
_DATA = flags.DEFINE_string(
    "data", None, "Folder with BenchmarkNoisyBlocksSrgb.mat, or with info.mat and images_srgb/."
)
_OUTPUT = flags.DEFINE_string("output", None, "The file to write; for dnd the new folder.")
_ABOUT = flags.DEFINE_multi_string(
    "about", [], "KEY=TEXT for SIDD's OptionalData, e.g. Authors=...; may be repeated."
)
_ENSEMBLE = flags.DEFINE_bool("ensemble", False, "Average over the 8 flips and rotations.")


def main(argv: Sequence[str]) -> None:
    """Writes the submission that the command line names."""
    if len(argv) > 1:
        raise UserError(f"submit takes flags only. Received: {' '.join(argv[1:])}")
    if not (_WEIGHTS.value and _BENCHMARK.value and _DATA.value and _OUTPUT.value):
        raise UserError("Give --weights, --benchmark, --data and --output; --helpfull says more.")
    about = [text.partition("=") for text in _ABOUT.value]
    for key, _, text in about:
        if not key.isidentifier() or not text:
            raise UserError(f"Give --about=KEY=TEXT, the key one word. Received: {key!r}, {text!r}")
    from mallenet_tf.evaluation import real_noise_benchmark

    real_noise_benchmark.submit(
        weights=_WEIGHTS.value,
        benchmark=_BENCHMARK.value,
        data=Path(_DATA.value),
        output=Path(_OUTPUT.value),
        about={key: text for key, _, text in about},
        ensemble=_ENSEMBLE.value,
    )
    print(f"Wrote {_OUTPUT.value}")


def cli() -> None:
    """Entry point of the installed command."""
    logging.set_verbosity(logging.INFO)
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
