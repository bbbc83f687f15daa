"""Draws what `denoise` does to noise of a simulated camera, on photographs of scikit-image.

    python tools/figures/draw_photo_noise.py --crops=docs/photo_noise.jpg \
        --sliders=docs/strength.jpg

The first picture shows crops at 200 %, noisy, denoised by default and clean. The second shows one
crop with each of strength, luminance and color at 0, 0.5 and 1, the others at 1.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from draw_photographs import collect_photographs

import mallenet_tf
from mallenet_tf.common.errors import run_main, user_output
from mallenet_tf.data import CameraNoise
from mallenet_tf.evaluation import side_by_side
from mallenet_tf.image_io import load_images, quantize, row_of_panels, write_image
from mallenet_tf.inference.strength import Strength

SHARES = (0.0, 0.5, 1.0)
# Top and left of a square of each photograph.
CROPS = {"astronaut.png": (40, 150), "chelsea.png": (50, 90), "coffee.png": (60, 330)}
SIDE, ZOOM = 160, 2


def photographs(level: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns (noisy, clean), uint8, of each photograph, by name."""
    camera = CameraNoise(
        level=(level, level),
        mosaic=1.0,
        reduction=1.0,
        quality=(92, 92),
        jpeg=1.0,
        gray=0.0,
        softness=(0.0, 0.0),
        sharpening=(0.0, 0.0),
    )
    with tempfile.TemporaryDirectory() as folder:
        files = [str(file) for file in collect_photographs(Path(folder)) if file.name in CROPS]
        images = dict(load_images(files, 3))
    pairs = {}
    for number, (name, clean) in enumerate(images.items()):
        seed = tf.constant([7, number], tf.int64)
        noisy = camera.apply(clean / np.float32(255.0), seed).numpy()
        pairs[Path(name).name] = quantize(noisy), clean
    return pairs


def enlarged_crop(image: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """Returns a square of an image at 200 %."""
    top, left = corner
    return image[top : top + SIDE, left : left + SIDE].repeat(ZOOM, 0).repeat(ZOOM, 1)


def draw_crops(pairs: dict[str, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Draws a crop of each photograph noisy, denoised and clean; PSNRs are those of the crop."""
    rows = []
    for name, (noisy, clean) in pairs.items():
        images = noisy, mallenet_tf.denoise_image(noisy), clean
        rows.append(side_by_side(*(enlarged_crop(image, CROPS[name]) for image in images)))
    return np.vstack(rows)


def draw_sliders(noisy: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """Draws a row for each of strength, luminance and color."""
    unit = noisy / np.float32(255.0)
    change = mallenet_tf.denoise_image(unit) - unit
    rows = []
    for name in ("strength", "luminance", "color"):
        results = [quantize(unit + Strength(**{name: share}).of(change)) for share in SHARES]
        titles = [f"{name} {share:g}" for share in SHARES]
        rows.append(row_of_panels([enlarged_crop(image, corner) for image in results], titles))
    return np.vstack(rows)


def main(argv: Sequence[str]) -> None:
    """Draws what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--level", type=float, default=9.0, help="of the noise, in 8-bit units")
    parser.add_argument("--crops", type=Path, required=True, help="image file to write")
    parser.add_argument("--sliders", type=Path, required=True, help="image file to write")
    flags = parser.parse_args(argv)
    pairs = photographs(flags.level)
    name = next(iter(CROPS))
    with user_output(flags.crops):
        write_image(flags.crops, draw_crops(pairs))
    with user_output(flags.sliders):
        write_image(flags.sliders, draw_sliders(pairs[name][0], CROPS[name]))


if __name__ == "__main__":
    run_main(main)(sys.argv[1:])
