"""Draws what weights do to the photographs that come with scikit-image.

python tools/draw_photographs.py --weights=mallenet_s_sigma25 --sigma=25 --output=picture.png
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import app, flags
from PIL import Image

from mallenet_tf.common.errors import UserError, run_main
from mallenet_tf.common.files import atomic_path
from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.evaluation import side_by_side
from mallenet_tf.image_io import load_images
from mallenet_tf.inference import Denoiser
from mallenet_tf.models import load_model

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


def collect_photographs(folder: Path) -> list[Path]:
    """Copies colour photographs out of the installed scikit-image.

    Raises:
        UserError: if scikit-image is not installed, or does not hold them.
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
            raise UserError(f"scikit-image does not hold {source}; install version 0.25 or 0.26.")
        copies.append(folder / name)
        with atomic_path(copies[-1]) as temporary:
            shutil.copyfile(source, temporary)
    return copies


def draw(weights: str | Path, photographs: Sequence[Path], sigma: float, picture: Path) -> None:
    """Writes one picture: the middle of each photograph, noisy, denoised and clean."""
    model = load_model(weights)
    denoise = Denoiser(model)
    level = sigma if model.noise_conditioned else None
    rows = []
    for name, clean in load_images([str(path) for path in photographs], 3):
        noisy = add_gaussian_noise(clean, sigma, name)
        top, left = (size // 2 - 128 for size in clean.shape[:2])
        middle = np.s_[top : top + 256, left : left + 256]
        rows.append(side_by_side(noisy[middle], denoise(noisy, level)[middle], clean[middle]))
    with atomic_path(picture) as temporary:
        Image.fromarray(np.vstack(rows)).save(temporary)


def main(argv: Sequence[str]) -> None:
    """Runs what the module's docstring says."""
    if len(argv) > 1:
        raise UserError(f"draw_photographs takes flags only. Received: {' '.join(argv[1:])}")
    with tempfile.TemporaryDirectory() as folder:
        photographs = collect_photographs(Path(folder))
        draw(flags.FLAGS.weights, photographs, flags.FLAGS.sigma, Path(flags.FLAGS.output))


if __name__ == "__main__":
    flags.DEFINE_string("weights", None, "Shipped name, .keras file or run folder.", required=True)
    flags.DEFINE_float("sigma", 25.0, "Noise level in 8-bit units.")
    flags.DEFINE_string("output", "photographs.png", "The picture.")
    app.run(run_main(main))
