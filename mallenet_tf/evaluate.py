"""Scores a denoiser on photographs with added noise or with real noise, as the literature does.

python -m mallenet_tf.evaluate --weights=WEIGHTS --data=DIR,DIR2 --sigma=15,25,50 --output=FILE
python -m mallenet_tf.evaluate --weights=WEIGHTS --pairs='polyu/*' --rename=_real,_mean
python -m mallenet_tf.evaluate --pairs='polyu/*' --rename=_real,_mean  # the default of denoise
python -m mallenet_tf.evaluate --weights=WEIGHTS --sidd=DIR
python -m mallenet_tf.evaluate --weights=WEIGHTS --noise=poisson_gaussian --video=DIR --steps=1,2,4
"""

from collections.abc import Sequence

from absl import app, flags, logging

from mallenet_tf.common.errors import check_flags_only, run_main
from mallenet_tf.evaluation import evaluator

_WEIGHTS = flags.DEFINE_string("weights", None, "Shipped name, .keras file or run folder.")
_DATA = flags.DEFINE_list("data", [], "Folders or globs of clean images; each is a data set.")
_PAIRS = flags.DEFINE_list("pairs", [], "Folders or globs of images with real noise.")
_SIDD = flags.DEFINE_string("sidd", None, "Folder with SIDD's ValidationNoisy- and GtBlocksSrgb.")
_RENAME = flags.DEFINE_list(
    "rename", ["noisy", "clean"], "OLD,NEW: the clean image's name has NEW for the last OLD."
)
_SIGMA = flags.DEFINE_list("sigma", None, "Noise levels in 8-bit units; the default is 15,25,50.")
_OUTPUT = flags.DEFINE_string("output", None, "CSV file: a row per image and sigma, and means.")
_CLIPPED = flags.DEFINE_bool("clipped", False, "Clip and round the noisy images to 8 bits.")
_ENSEMBLE = flags.DEFINE_bool("ensemble", False, "Average over the 8 flips and rotations.")
_SAVE_IMAGES = flags.DEFINE_string("save_images", None, "Folder for the denoised images, as PNG.")
_NOISE = flags.DEFINE_string("noise", "gaussian", "gaussian, or poisson_gaussian, of a sensor.")
_SIGMA_S = flags.DEFINE_list("sigma_s", None, "Shot noise; the default is 2.5e-3,6.4e-3.")
_SIGMA_R = flags.DEFINE_list("sigma_r", None, "Read noise; the default is 1e-2,2e-2.")
_VIDEO = flags.DEFINE_list("video", [], "Folders of videos; each is a subset.")
_STEPS = flags.DEFINE_list("steps", ["1"], "Frames of a video from one that is used to the next.")
_BASELINE = flags.DEFINE_string("baseline", None, "noisy, average, NLM or BM3D, not --weights.")
_TILE = flags.DEFINE_integer("tile", 1024, "Cut images larger than this many pixels; 0: never.")


def main(argv: Sequence[str]) -> None:
    """Evaluates what the command line names."""
    check_flags_only(argv)
    evaluator.run(
        weights=_WEIGHTS.value,
        data=_DATA.value,
        pairs=_PAIRS.value,
        sidd=_SIDD.value,
        rename=_RENAME.value,
        sigmas=_SIGMA.value,
        output=_OUTPUT.value,
        clipped=_CLIPPED.value,
        ensemble=_ENSEMBLE.value,
        save_images=_SAVE_IMAGES.value,
        tile=_TILE.value,
        noise=_NOISE.value,
        sigma_s=_SIGMA_S.value,
        sigma_r=_SIGMA_R.value,
        video=_VIDEO.value,
        steps=_STEPS.value,
        baseline=_BASELINE.value,
    )


def cli() -> None:
    """Runs the installed command."""
    logging.set_verbosity(logging.INFO)
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
