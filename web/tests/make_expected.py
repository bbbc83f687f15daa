"""Writes noisy images and what the Python package makes of them, for the tests in a browser.

python web/tests/make_expected.py FOLDER
"""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageDraw

from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.image_io import quantize
from mallenet_tf.inference import Denoiser, views
from mallenet_tf.inference.noise_level import MeasuredNoise, default_weights, level_to_tell
from mallenet_tf.models import load_model

PLACE = (0.3, 0.7)  # y, x of the kernels that are used everywhere
TILE = 512  # That of web/src/engine/job.ts
STRENGTH = {"strength": 0.8, "luminance": 0.5, "color": 1.0}
GIVEN = {"gray_white": 15.0}  # Levels of white noise that are not measured.


def images() -> dict[str, np.ndarray]:
    """Returns images with noise of each kind; two need more than one tile."""
    photograph = skimage.data.astronaut()
    part = photograph[:200, 100:300]
    strong = with_grain(part, 60)
    strong[:, 184:] = 90, 120, 150  # A border without noise
    page = draw_text(200, 160)
    white = add_gaussian_noise(skimage.data.coffee()[100:300], 25, "white")
    gray = quantize(add_gaussian_noise(skimage.data.camera()[:200, :300, None], 15, "gray"))
    return {
        "camera": with_grain(photograph, 24),
        "white": quantize(white),
        "gray": gray,
        "tiny": quantize(white)[:5, :7],
        "gray_white": gray,
        # What is estimated wrongly, and corrected:
        "weak": with_grain(part, 8),
        "strong": strong,
        "scan": quantize(add_gaussian_noise(page, 1.5, "scan")),
        "page": page,
    }


def with_grain(photograph: np.ndarray, sigma: float) -> np.ndarray:
    """Adds noise that is coarse and grows with brightness, as a camera's processing leaves it."""
    grain = np.random.default_rng(0).normal(0, sigma, photograph.shape)
    for axis in (0, 1):
        grain = (np.roll(grain, 1, axis) + 2 * grain + np.roll(grain, -1, axis)) / 4
    return quantize((photograph + grain * (0.4 + photograph / 255)) / 255)


def draw_text(width: int, height: int) -> np.ndarray:
    """Returns a page without noise."""
    page = Image.new("RGB", (width, height), "white")
    for top in range(2, height, 11):
        text = "A page full of strokes, which look like noise to estimators."
        ImageDraw.Draw(page).text((3, top), text, fill=(20, 20, 60))
    return np.array(page)


def main() -> None:
    """Writes NAME.png and NAME_denoised.png, and expected.json."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, image in images().items():
        noise = MeasuredNoise([image])
        weights = default_weights(noise, GIVEN.get(name))
        denoiser = tiled_denoiser(weights)
        model = denoiser.model
        level = level_to_tell(model, noise, GIVEN.get(name))
        write(folder / f"{name}.png", image)
        write(folder / f"{name}_denoised.png", denoiser(image, level))
        expected[name] = {
            "network": weights,
            "level": level,
            "measured": {"sigma": noise.sigma, "level": noise.level},
        }
        if name == "camera":
            some = Denoiser(model, TILE, **STRENGTH)
            write(folder / "camera_some.png", some(image, level))
            write(folder / "camera_whole.png", Denoiser(model, tile=0)(image, level))
            write(folder / "camera_clean.png", skimage.data.astronaut())
            batch = np.dstack([image / 255.0, np.full(image.shape[:2], level / 255)])
            placed = views._with_one_kernel(model, PLACE)(np.float32(batch[None]), training=False)
            write(folder / "camera_kernels.png", quantize(np.asarray(placed)[0]))
            write_with_exif(folder / "turned.jpg", image[:64, :96])
    (folder / "expected.json").write_text(json.dumps(expected, indent=1))


@functools.cache
def tiled_denoiser(weights: str) -> Denoiser:
    """Returns a denoiser with the page's tiles."""
    return Denoiser(load_model(weights), TILE)


def write_with_exif(path: Path, image: np.ndarray) -> None:
    """Writes a JPEG file that says it is to be turned, with a maker."""
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: a quarter turn clockwise
    exif[0x010F] = "Maker of cameras"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:29 12:00:00"  # DateTimeOriginal
    Image.fromarray(image).save(path, exif=exif, quality=95)


def write(path: Path, image: np.ndarray) -> None:
    """Writes an image without loss."""
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(path)


if __name__ == "__main__":
    main()
