"""Scores a denoiser on folders of clean photographs, as the tables of the literature do.

python -m mallenet_tf.evaluate --weights=WEIGHTS --data=DIR,DIR2 --sigma=15,25,50 --output=FILE
"""

from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

from mallenet_tf.errors import UserError, run_main

_WEIGHTS = flags.DEFINE_string("weights", None, "Shipped name, .keras file or run folder.")
_DATA = flags.DEFINE_list("data", [], "Folders or globs of clean images; each is a data set.")
_SIGMA = flags.DEFINE_list("sigma", ["15", "25", "50"], "Noise levels in 8-bit units.")
_OUTPUT = flags.DEFINE_string("output", None, "CSV file: a row per image and sigma, and means.")
_CLIPPED = flags.DEFINE_bool(
    "clipped", False, "Clip and round the noisy images to 8 bits, like files; a separate track."
)
_ENSEMBLE = flags.DEFINE_bool("ensemble", False, "Average over the 8 flips and rotations.")
_SAVE_IMAGES = flags.DEFINE_string("save_images", None, "Folder for the denoised images, as PNG.")
_TILE = flags.DEFINE_integer("tile", 1024, "Cut images larger than this many pixels; 0: never.")


def main(argv: Sequence[str]) -> None:
    """Evaluates what the command line names."""
    if len(argv) > 1:
        raise UserError(f"evaluate takes flags only. Received: {' '.join(argv[1:])}")
    if not _WEIGHTS.value or not _DATA.value:
        raise UserError("Give --weights and --data; --helpfull lists every flag.")
    from mallenet_tf import benchmark  # here, so that --help needs no TensorFlow

    benchmark.run(
        weights=_WEIGHTS.value,
        datasets=benchmark.name_datasets(_DATA.value),
        sigmas=[benchmark.parse_sigma(text) for text in _SIGMA.value],
        output=Path(_OUTPUT.value) if _OUTPUT.value else None,
        clipped=_CLIPPED.value,
        ensemble=_ENSEMBLE.value,
        save_images=Path(_SAVE_IMAGES.value) if _SAVE_IMAGES.value else None,
        tile=_TILE.value,
    )


def cli() -> None:
    """Entry point of the installed command."""
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
