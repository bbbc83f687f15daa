"""Writes noisy images and what the Python package makes of them, for the tests in a browser.

python web/tests/make_expected.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

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
    random = np.random.default_rng(0)
    grain = random.normal(0, 24, photograph.shape)
    for axis in (0, 1):  # As a camera's processing does.
        grain = (np.roll(grain, 1, axis) + 2 * grain + np.roll(grain, -1, axis)) / 4
    camera = np.clip(np.rint(photograph + grain * (0.4 + photograph / 255)), 0, 255)
    white = add_gaussian_noise(skimage.data.coffee(), 25, "white")
    gray = add_gaussian_noise(skimage.data.camera()[:200, :300, None], 15, "gray")
    quantized = [np.uint8(np.rint(255 * np.clip(image, 0, 1))) for image in (white, gray)]
    return {
        "camera": camera.astype(np.uint8),
        "white": quantized[0],
        "gray": quantized[1],
        "tiny": quantized[0][:5, :7],
        "gray_white": quantized[1],
    }


def main() -> None:
    """Writes NAME.png and NAME_denoised.png, and expected.json."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, image in images().items():
        noise = MeasuredNoise([image])
        weights = default_weights(noise, GIVEN.get(name))
        model = load_model(weights)
        level = level_to_tell(model, noise, GIVEN.get(name))
        write(folder / f"{name}.png", image)
        write(folder / f"{name}_denoised.png", Denoiser(model, TILE)(image, level))
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
