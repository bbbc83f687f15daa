"""Denoises image files.

    python -m mallenet_tf.denoise noisy.png --output=clean.png
    python -m mallenet_tf.denoise holiday/ more/*.jpg --output=clean/ --sigma=15

The noise level is estimated from each image unless --sigma gives it, in 8-bit units; a larger one
denoises more strongly. Weights for a fixed noise level take no --sigma.
"""

from collections.abc import Sequence

from absl import app, flags

from mallenet_tf.errors import UserError, run_main

_OUTPUT = flags.DEFINE_string("output", None, "A file, or a folder for the results.")
_WEIGHTS = flags.DEFINE_string(
    "weights", None, "Shipped name, .keras file or run folder; the default is the shipped default."
)
_SIGMA = flags.DEFINE_string("sigma", "auto", "Noise level in 8-bit units, or 'auto'.")
_STRENGTH = flags.DEFINE_float(
    "strength", 1.0, "Share of the denoised image in the result; the rest is the noisy one."
)
_MEMORY = flags.DEFINE_string(
    "max_memory", "50%", "Memory of the process, as 2GB, or a share of what is free, as 50%."
)
_TILE = flags.DEFINE_integer(
    "tile", None, "Side of the tiles in pixels; by default what is fastest and fits. 0: no tiles."
)
_ENSEMBLE = flags.DEFINE_bool("ensemble", False, "Average over the 8 flips and rotations.")
_RECURSIVE = flags.DEFINE_bool("recursive", False, "Look into subfolders.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace outputs that exist.")
_COMPARE = flags.DEFINE_bool("compare", False, "Write NAME.compare.png beside each result.")
_KERNELS = flags.DEFINE_multi_string(
    "show_kernels",
    None,
    "X,Y in pixels: write NAME.kernels.png with the predicted kernels, and the image that the "
    "kernels at X,Y make when they are used everywhere. Repeatable.",
)
_JSON = flags.DEFINE_bool("json", False, "Print a JSON summary; everything else goes to stderr.")


def main(argv: Sequence[str]) -> int:
    """Denoises what the command line names; returns the exit status."""
    if len(argv) < 2 or not _OUTPUT.value:
        raise UserError("Give image files, folders or globs, and --output. See --help.")
    from mallenet_tf import denoise_files  # here, so that --help needs no TensorFlow

    return denoise_files.run(
        inputs=argv[1:],
        output=_OUTPUT.value,
        weights=_WEIGHTS.value,
        sigma=denoise_files.parse_sigma(_SIGMA.value),
        strength=_STRENGTH.value,
        max_memory=_MEMORY.value,
        tile=_TILE.value,
        ensemble=_ENSEMBLE.value,
        recursive=_RECURSIVE.value,
        overwrite=_OVERWRITE.value,
        compare=_COMPARE.value,
        kernels_at=denoise_files.parse_places(_KERNELS.value),
        as_json=_JSON.value,
    )


def cli() -> None:
    """Entry point of the installed command."""
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
