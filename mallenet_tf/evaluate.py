"""Scores a denoiser on photographs with added noise or with real noise, as the literature does.

python -m mallenet_tf.evaluate --weights=WEIGHTS --data=DIR,DIR2 --sigma=15,25,50 --output=FILE
python -m mallenet_tf.evaluate --weights=WEIGHTS --pairs='polyu/*' --rename=_real,_mean
python -m mallenet_tf.evaluate --weights=WEIGHTS --sidd=DIR
"""

from collections.abc import Sequence
from pathlib import Path

from absl import app, flags, logging

from mallenet_tf.common.checks import parse_sigma
from mallenet_tf.common.errors import UserError, run_main
from mallenet_tf.common.startup import start_keras

_WEIGHTS = flags.DEFINE_string("weights", None, "Shipped name, .keras file or run folder.")
_DATA = flags.DEFINE_list("data", [], "Folders or globs of clean images; each is a data set.")
_PAIRS = flags.DEFINE_list("pairs", [], "Folders or globs of images with real noise.")
_RENAME = flags.DEFINE_list(
    "rename",
    ["noisy", "clean"],
    "OLD,NEW: the clean image is named like the noisy one, its last OLD replaced by NEW.",
)
_SIDD = flags.DEFINE_string("sidd", None, "Folder with SIDD's ValidationNoisy- and GtBlocksSrgb.")
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
    _check_flags(argv)
    start_keras()
    from mallenet_tf.evaluation import gaussian_benchmark, real_noise_benchmark

    weights, ensemble, tile = str(_WEIGHTS.value), _ENSEMBLE.value, _TILE.value
    output = Path(_OUTPUT.value) if _OUTPUT.value else None
    if _SIDD.value:
        real_noise_benchmark.score_sidd(weights, Path(_SIDD.value), output, ensemble)
    elif _PAIRS.value:
        rename = (_RENAME.value[0], _RENAME.value[1])
        real_noise_benchmark.score_pairs(weights, _PAIRS.value, rename, output, ensemble, tile)
    else:
        gaussian_benchmark.run(
            weights,
            gaussian_benchmark.name_datasets(_DATA.value),
            [parse_sigma(text) for text in _SIGMA.value],
            output,
            clipped=_CLIPPED.value,
            ensemble=ensemble,
            save_images=Path(_SAVE_IMAGES.value) if _SAVE_IMAGES.value else None,
            tile=tile,
        )


def _check_flags(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise UserError(f"evaluate takes flags only. Received: {' '.join(argv[1:])}")
    if not _WEIGHTS.value or sum(map(bool, [_DATA.value, _PAIRS.value, _SIDD.value])) != 1:
        raise UserError(
            "Give --weights and one of --data, --pairs and --sidd; --helpfull lists every flag."
        )
    for flag in ("sigma", "clipped", "save_images"):
        if flags.FLAGS[flag].present and not _DATA.value:
            raise UserError(f"--{flag} goes with --data: real noise is scored as it is.")
    if len(_RENAME.value) != 2:
        raise UserError(f"Give --rename=OLD,NEW. Received: --rename={','.join(_RENAME.value)}")


def cli() -> None:
    """Runs the installed command."""
    logging.set_verbosity(logging.INFO)
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
