"""Exports a denoiser to files that run without this package.

    python -m mallenet_tf.export --weights=mallenet_s_sigma25 --output=exported
    python -m mallenet_tf.export --weights=runs/mine --formats=tflite_int8,onnx --output=exported

Each file is run and compared with the Keras model before it is put in place. docs/serving.md shows
how to use and serve them.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import app, flags, logging

from mallenet_tf.common.errors import UserError, check_flags_only, run_main
from mallenet_tf.common.startup import start_keras

_WEIGHTS = flags.DEFINE_string(
    "weights", None, "Shipped name, .keras file or run folder; the default is the shipped weights."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.")
_FORMATS = flags.DEFINE_list(
    "formats",
    ["portable"],
    "Any of portable (a SavedModel of standard operations), native (one of fused operations), "
    "tflite, tflite_float16, tflite_int8 and onnx; or all.",
)
_IMAGES = flags.DEFINE_list(
    "images", [], "Clean photographs for PSNRs and int8; the default is synthetic images."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace outputs that exist.")


def main(argv: Sequence[str]) -> None:
    """Exports what the command line names."""
    check_flags_only(argv)
    if not _OUTPUT.value:
        raise UserError("Give --output, a folder. See --help.")
    logging.set_verbosity(logging.WARNING)  # TensorFlow logs every file that it writes
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
