"""Draws what weights do to photographs with real noise, a crop of each, below each other.

python tools/draw_pairs.py --weights=mallenet_r16_polyu --rename=_real,_mean --output=picture.png \
  --crop=data/polyu/Canon5D2_5_160_6400_circuit_8_real.JPG:100:200:128
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import app, flags
from PIL import Image

from mallenet_tf.common.errors import UserError, run_main
from mallenet_tf.common.files import atomic_path
from mallenet_tf.evaluation import side_by_side
from mallenet_tf.image_io import load_pairs
from mallenet_tf.inference import Denoiser
from mallenet_tf.models import load_model


def parse_crop(text: str) -> tuple[str, int, int, int]:
    """File, top, left and side of FILE:TOP:LEFT:SIDE.

    Raises:
        UserError: if it is anything else.
    """
    file, *numbers = text.rsplit(":", 3)
    if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
        raise UserError(f"Give --crop=FILE:TOP:LEFT:SIDE in pixels. Received: --crop={text}")
    top, left, side = map(int, numbers)
    return file, top, left, side


def draw(weights: str, crops: Sequence[str], rename: tuple[str, str], zoom: int) -> np.ndarray:
    """Noisy, denoised and clean of each crop, enlarged; the PSNRs are of the crop."""
    model = load_model(weights)
    denoise = Denoiser(model)
    rows = []
    for file, top, left, side in map(parse_crop, crops):
        ((_, noisy, clean),) = load_pairs(file, rename, model.image_channels)
        panels = [
            image[top : top + side, left : left + side].repeat(zoom, 0).repeat(zoom, 1)
            for image in (noisy, denoise(noisy), clean)
        ]
        rows.append(side_by_side(*panels))
    return np.vstack(rows)


def main(argv: Sequence[str]) -> None:
    """Runs what the module's docstring says."""
    given = flags.FLAGS
    if len(argv) > 1 or len(given.rename) != 2 or not given.crop:
        raise UserError("draw_pairs takes --crop, --rename=OLD,NEW and no arguments.")
    picture = draw(given.weights, given.crop, tuple(given.rename), given.zoom)
    with atomic_path(given.output) as temporary:
        Image.fromarray(picture).save(temporary, optimize=True)
    print(f"Wrote {Path(given.output)}")


if __name__ == "__main__":
    flags.DEFINE_string("weights", None, "Shipped name, .keras file or run folder.", required=True)
    flags.DEFINE_multi_string("crop", [], "FILE:TOP:LEFT:SIDE of a noisy file; may be repeated.")
    flags.DEFINE_list("rename", ["noisy", "clean"], "OLD,NEW, as evaluate takes it.")
    flags.DEFINE_integer("zoom", 2, "How much to enlarge.", lower_bound=1)
    flags.DEFINE_string("output", "pairs.png", "The picture.")
    app.run(run_main(main))
