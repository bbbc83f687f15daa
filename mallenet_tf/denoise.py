"""Denoises image files.

    python -m mallenet_tf.denoise noisy.png --output=clean.png
    python -m mallenet_tf.denoise holiday/ more/*.jpg --output=clean/ --sigma=15
    python -m mallenet_tf.denoise clip.mp4 --output=clean.mp4
    python -m mallenet_tf.denoise frames/ --output=clean/ --video

The noise level is estimated from each image unless --sigma gives it, in 8-bit units; a larger one
denoises more strongly. Weights for a fixed noise level take no --sigma. The
frames of a video share one estimate; networks for video need --video for a folder of frames.
"""

from collections.abc import Sequence
from typing import Any

from absl import app, flags

from mallenet_tf.common.errors import UserError, run_main
from mallenet_tf.common.startup import start_keras
from mallenet_tf.image_io.video_reader import is_video_file

_OUTPUT = flags.DEFINE_string("output", None, "A file, or a folder for the results.")
_WEIGHTS = flags.DEFINE_string(
    "weights",
    None,
    "Shipped name, .keras file or run folder; by default shipped ones, for colour or for gray.",
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
_VIDEO = flags.DEFINE_bool(
    "video", False, "The folder holds the frames of one video, in the order of their names."
)
_RATE = flags.DEFINE_float(
    "frame_rate", None, "Frames per second of a folder that is written as a video file."
)
_PROFILE = flags.DEFINE_integer(
    "temporal_profile", None, "Row of a video: write a picture of it over time beside the output."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace outputs that exist.")
_COMPARE = flags.DEFINE_bool(
    "compare", False, "Write RESULT.compare.png, as clean.png.compare.png, beside each result."
)
_KERNELS = flags.DEFINE_multi_string(
    "show_kernels",
    None,
    "X,Y in pixels: write RESULT.kernels.png with the predicted kernels, and the image that the "
    "kernels at X,Y make when they are used everywhere. Repeatable.",
)
_JSON = flags.DEFINE_bool("json", False, "Print a JSON summary; everything else goes to stderr.")


def main(argv: Sequence[str]) -> int:
    """Denoises what the command line names; returns the exit status."""
    if len(argv) < 2 or not _OUTPUT.value:
        raise UserError("Give image files, folders or globs, and --output. See --help.")
    as_video = _VIDEO.value or any(map(is_video_file, argv[1:]))
    if as_video:
        _refuse("a video", _RECURSIVE, _COMPARE, _KERNELS)
    else:
        _refuse("images; --video takes a folder as one", _RATE, _PROFILE)
    start_keras()
    from mallenet_tf.inference import batch, video_batch

    common: dict[str, Any] = {
        "inputs": argv[1:],
        "output": _OUTPUT.value,
        "weights": _WEIGHTS.value,
        "sigma": batch.parse_sigma(_SIGMA.value),
        "strength": _STRENGTH.value,
        "max_memory": _MEMORY.value,
        "tile": _TILE.value,
        "ensemble": _ENSEMBLE.value,
        "overwrite": _OVERWRITE.value,
        "as_json": _JSON.value,
    }
    if as_video:
        return video_batch.run(**common, frame_rate=_RATE.value, profile_row=_PROFILE.value)
    return batch.run(
        **common,
        recursive=_RECURSIVE.value,
        compare=_COMPARE.value,
        kernels_at=batch.parse_places(_KERNELS.value),
    )


def _refuse(what: str, *given: flags.FlagHolder) -> None:
    for flag in given:
        if flag.value not in (None, False):
            raise UserError(
                f"--{flag.name} is not for {what}. Received: --{flag.name}={flag.value}"
            )


def cli() -> None:
    """Entry point of the installed command."""
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
