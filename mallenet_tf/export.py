"""Exports a denoiser to files that run without this package.

    python -m mallenet_tf.export --weights=mallenet_s_sigma25 --output=exported
    python -m mallenet_tf.export --weights=runs/mine --formats=tflite_int8,onnx --output=exported

Each file is run and compared with the Keras model before it is put in place. docs/serving.md shows
how to use and serve them.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import app, flags, logging

from mallenet_tf.common.errors import UserError, run_main
from mallenet_tf.common.startup import start_keras

_WEIGHTS = flags.DEFINE_string(
    "weights", None, "Shipped name, .keras file or run folder; by default the shipped weights."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.")
_FORMATS = flags.DEFINE_list(
    "formats",
    ["portable"],
    "Any of: portable (a SavedModel of standard operations), native (one with the fused ones), "
    "tflite, tflite_float16, tflite_int8, onnx; or all.",
)
_IMAGES = flags.DEFINE_list(
    "images",
    [],
    "Clean photographs, folders or globs, for the calibration of int8 and for PSNRs; without, "
    "synthetic images.",
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace outputs that exist.")


def main(argv: Sequence[str]) -> None:
    """Exports what the command line names."""
    if len(argv) > 1:
        raise UserError(f"export takes flags only. Received: {' '.join(argv[1:])}")
    if not _OUTPUT.value:
        raise UserError("Give --output, a folder. See --help.")
    logging.set_verbosity(logging.WARNING)  # TensorFlow comments on every file that it writes
    start_keras()
    from mallenet_tf.exporting import exporter

    exporter.run(
        weights=_WEIGHTS.value,
        output=Path(_OUTPUT.value),
        formats=_FORMATS.value,
        images=_IMAGES.value,
        overwrite=_OVERWRITE.value,
    )


def cli() -> None:
    """Runs the installed command."""
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
