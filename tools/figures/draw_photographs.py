"""Denoises the photographs that come with scikit-image and draws the results.

python tools/figures/draw_photographs.py --weights=mallenet_s_sigma25 --sigma=25 \
  --output=picture.png
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mallenet_tf.common.errors import UserError, run_main, user_input, user_output
from mallenet_tf.common.files import atomic_path
from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.evaluation import side_by_side
from mallenet_tf.image_io import load_images
from mallenet_tf.inference import Denoiser
from mallenet_tf.models import load_model

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


def collect_photographs(folder: Path) -> list[Path]:
    """Copies color photographs out of the installed scikit-image.

    Raises:
        UserError: If scikit-image is not installed or does not contain them.
    """
    try:
        import skimage
    except ImportError as error:
        raise UserError(
            'The quickstart needs scikit-image: pip install "mallenet-tf[quickstart]".'
        ) from error
    copies = []
    for name in PHOTOGRAPHS:
        source = Path(skimage.__file__).parent / "data" / name
        if not source.is_file():
            raise UserError(
                f"scikit-image does not contain {source}; install version 0.25 or 0.26."
            )
        copies.append(folder / name)
        with atomic_path(copies[-1]) as temporary:
            shutil.copyfile(source, temporary)
    return copies


def draw(weights: str | Path, photographs: Sequence[Path], sigma: float, picture: Path) -> None:
    """Draws the middle of each photograph noisy, denoised and clean.

    Raises:
        UserError: If there are no such weights, or the picture cannot be written.
    """
    with user_input():
        model = load_model(weights)
        denoise = Denoiser(model)
    level = sigma if model.noise_conditioned else None
    rows = []
    for name, clean in load_images([str(path) for path in photographs], 3):
        noisy = add_gaussian_noise(clean, sigma, name)
        top, left = (size // 2 - 128 for size in clean.shape[:2])
        middle = np.s_[top : top + 256, left : left + 256]
        rows.append(side_by_side(noisy[middle], denoise(noisy, level)[middle], clean[middle]))
    with user_output(picture), atomic_path(picture) as temporary:
        Image.fromarray(np.vstack(rows)).save(temporary)


def main(argv: Sequence[str]) -> None:
    """Draws what the command line names."""
    parser = argparse.ArgumentParser(description="Denoises photographs and draws the results.")
    parser.add_argument("--weights", required=True, help="shipped name, .keras file or run folder")
    parser.add_argument("--sigma", type=float, default=25.0, help="noise level in 8-bit units")
    parser.add_argument(
        "--output", type=Path, default=Path("photographs.png"), help="image file to write"
    )
    flags = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        photographs = collect_photographs(Path(folder))
        draw(flags.weights, photographs, flags.sigma, flags.output)


if __name__ == "__main__":
    run_main(main)(sys.argv[1:])
