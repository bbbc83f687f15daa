"""Denoises image and video files.

    python -m mallenet_tf.denoise noisy.png --output=clean.png
    python -m mallenet_tf.denoise holiday/ more/*.jpg --output=clean/ --sigma=15
    python -m mallenet_tf.denoise clip.mp4 --output=clean.mp4
    python -m mallenet_tf.denoise frames/ --output=clean/ --video

The noise level is estimated from each image, and once for a video, unless --sigma gives it.
"""

from collections.abc import Sequence

from absl import app, flags, logging

from mallenet_tf.common.errors import UserError, run_main
from mallenet_tf.image_io.picture import MAX_PIXELS
from mallenet_tf.inference.batch import denoise_files
from mallenet_tf.inference.beam import denoise_on_beam
from mallenet_tf.inference.options import Options

_OUTPUT = flags.DEFINE_string("output", None, "File, or folder for the results.")
_BEAM = flags.DEFINE_string(
    "beam", None, 'Run as an Apache Beam pipeline with these options, as --beam="--runner=...".'
)
# Each is the option of its name.
_OPTIONS: Sequence[flags.FlagHolder] = (
    flags.DEFINE_string("weights", None, "Shipped name, .keras file or run folder."),
    flags.DEFINE_string("sigma", "auto", "Noise level, 0 to 255, or auto; more denoises more."),
    flags.DEFINE_float("strength", 1.0, "Share of the noise to remove, 0 to 1."),
    flags.DEFINE_float("luminance", 1.0, "Share of its luminance, grain, to remove, 0 to 1."),
    flags.DEFINE_float("color", 1.0, "Share of its color, blotches, to remove, 0 to 1."),
    flags.DEFINE_string("max_memory", "50%", "Memory to use, as 2GB, or a share of what is free."),
    flags.DEFINE_integer(
        "tile", None, "Side of tiles in pixels; 0 for none. Default: the fastest."
    ),
    flags.DEFINE_bool("ensemble", False, "Average over the 8 flips and rotations."),
    flags.DEFINE_bool("overwrite", False, "Replace outputs that exist; otherwise skip them."),
    flags.DEFINE_bool("json", False, "Print a JSON summary, and all else to stderr."),
    flags.DEFINE_bool("recursive", False, "Images: search subfolders."),
    flags.DEFINE_bool("compare", False, "Images: write RESULT.compare.png, before and after."),
    flags.DEFINE_multi_string(
        "show_kernels", None, "Images: X,Y of a pixel; write RESULT.kernels.png. Repeatable."
    ),
    flags.DEFINE_string("background", "white", "Images: color behind transparent ones, in JPEG."),
    flags.DEFINE_bool("keep_times", False, "Images: give results the times of their files."),
    flags.DEFINE_integer(
        "max_pixels", MAX_PIXELS, "Images: pixels of the largest that is decoded.", lower_bound=1
    ),
    flags.DEFINE_bool("linear", False, "Camera raw: write linear light, as floats."),
    flags.DEFINE_bool("video", False, "The folder holds the frames of one video, by name."),
    flags.DEFINE_float("frame_rate", None, "Videos: frames per second, from a folder to a file."),
    flags.DEFINE_integer("temporal_profile", None, "Videos: row to write a picture of over time."),
)


def main(argv: Sequence[str]) -> int:
    """Denoises what the command line names; returns the exit status."""
    if len(argv) < 2 or not _OUTPUT.value:
        raise UserError("Give image files, folders or globs, and --output. See --help.")
    options = Options.parse(**{flag.name: flag.value for flag in _OPTIONS})
    if _BEAM.value is not None:
        return denoise_on_beam(argv[1:], _OUTPUT.value, options, _BEAM.value)
    return denoise_files(argv[1:], _OUTPUT.value, options)


def cli() -> None:
    """Runs the installed command."""
    logging.set_verbosity(logging.INFO)  # For the progress of videos, where there is no terminal.
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
