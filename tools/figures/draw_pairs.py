"""Draws crops of photographs with real noise: noisy, denoised and clean, a row for each.

python tools/figures/draw_pairs.py --weights=mallenet_r16_polyu --rename=_real,_mean \
  --output=picture.png --crop=data/polyu/Canon5D2_5_160_6400_circuit_8_real.JPG:100:200:128
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mallenet_tf.common.errors import UserError, run_main, user_files, user_input, user_output
from mallenet_tf.common.files import atomic_path
from mallenet_tf.evaluation import side_by_side
from mallenet_tf.image_io import load_pairs
from mallenet_tf.inference import Denoiser
from mallenet_tf.models import load_model


def parse_crop(text: str) -> tuple[str, int, int, int]:
    """Parses FILE:TOP:LEFT:SIDE.

    Raises:
        UserError: If it does not have that form.
    """
    file, *numbers = text.rsplit(":", 3)
    if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
        raise UserError(f"Give --crop=FILE:TOP:LEFT:SIDE in pixels. Received: --crop={text}")
    top, left, side = map(int, numbers)
    return file, top, left, side


def draw(weights: str, crops: Sequence[str], rename: tuple[str, str], zoom: int) -> np.ndarray:
    """Draws each crop noisy, denoised and clean, enlarged; the PSNRs are those of the crop.

    Raises:
        UserError: If weights or images are missing or damaged.
    """
    with user_input():
        model = load_model(weights)
        denoise = Denoiser(model)
    rows = []
    for file, top, left, side in map(parse_crop, crops):
        ((_, noisy, clean),) = user_files(load_pairs(file, rename, model.image_channels))
        panels = [
            image[top : top + side, left : left + side].repeat(zoom, 0).repeat(zoom, 1)
            for image in (noisy, denoise(noisy), clean)
        ]
        rows.append(side_by_side(*panels))
    return np.vstack(rows)


def parse_flags(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Draws crops of photographs with real noise.")
    parser.add_argument("--weights", required=True, help="shipped name, .keras file or run folder")
    parser.add_argument(
        "--crop",
        required=True,
        action="append",
        help="FILE:TOP:LEFT:SIDE in pixels of a noisy file; may be repeated",
    )
    parser.add_argument("--rename", default="noisy,clean", help="OLD,NEW, as evaluate takes it")
    parser.add_argument("--zoom", type=int, default=2, help="factor of enlargement")
    parser.add_argument(
        "--output", type=Path, default=Path("pairs.png"), help="image file to write"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    """Draws the crops that the command line names."""
    flags = parse_flags(argv)
    rename = flags.rename.split(",")
    if len(rename) != 2:
        raise UserError(f"Give --rename=OLD,NEW. Received: --rename={flags.rename}")
    picture = draw(flags.weights, flags.crop, (rename[0], rename[1]), flags.zoom)
    with user_output(flags.output), atomic_path(flags.output) as temporary:
        Image.fromarray(picture).save(temporary, optimize=True)
    print(f"Wrote {flags.output}")


if __name__ == "__main__":
    run_main(main)(sys.argv[1:])
