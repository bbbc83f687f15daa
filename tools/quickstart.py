"""Trains a small denoiser on synthetic images, then shows what it does to photographs.

    python tools/quickstart.py

Takes less than ten minutes on two CPU cores and needs no download: it trains on leaves, and scores
and draws photographs that come with scikit-image. Stopped, it goes on where it was.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

from mallenet_tf.errors import UserError, run_main
from mallenet_tf.files import atomic_path

ROOT = Path(__file__).resolve().parent.parent
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
SIGMA = 25

_OUTPUT = flags.DEFINE_string("output", "quickstart", "Folder for the results.")
_GIN_PARAM = flags.DEFINE_multi_string("gin_param", [], "Passed on to the training.")

NEXT = """
What next:
  look at      {output}/photographs.png and {output}/results.csv
  denoise      {python} -m mallenet_tf.denoise YOUR_PHOTO.jpg --output=clean.png
  train more   {python} -m mallenet_tf.train --gin_file=gin_configs/mallenet_s_sigma25_bsd400.gin \\
                 --model_dir=runs/mallenet_s_sigma25   (wants photographs; see its first lines)
  watch a run  tensorboard --logdir={output}/run
"""


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


def run_module(module: str, *arguments: str) -> None:
    """Runs one of the package's binaries as a user would, showing its output.

    Raises:
        UserError: if it fails; it has printed why.
    """
    status = subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode
    if status:
        raise UserError(f"{module} ended with status {status}; see above.")


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise UserError(f"quickstart takes flags only. Received: {' '.join(argv[1:])}")
    output = Path(_OUTPUT.value)
    photographs = collect_photographs(output / "photographs")
    run = output / "run"
    run_module(
        "mallenet_tf.train",
        f"--gin_file={ROOT / 'gin_configs' / 'quickstart.gin'}",
        f'--gin_param=VALIDATION = "{output / "photographs"}"',
        *(f"--gin_param={binding}" for binding in _GIN_PARAM.value),
        f"--model_dir={run}",
    )
    if not (run / "best.keras").is_file():
        raise UserError("The training was stopped; the same command goes on with it.")
    run_module(
        "mallenet_tf.evaluate",
        *(f"--weights={run}", f"--data={output / 'photographs'}", f"--sigma={SIGMA}"),
        f"--output={output / 'results.csv'}",
    )
    draw(run, photographs, output / "photographs.png")
    print(NEXT.format(output=output, python=sys.executable))


def draw(run: Path, photographs: Sequence[Path], picture: Path) -> None:
    """Writes one picture: the middle of each photograph, noisy, denoised and clean."""
    import numpy as np
    from PIL import Image

    from mallenet_tf.data import add_gaussian_noise, load_images
    from mallenet_tf.evaluation import side_by_side
    from mallenet_tf.inference import Denoiser
    from mallenet_tf.models import load_model

    denoise = Denoiser(load_model(run))
    rows = []
    for name, clean in load_images([str(path) for path in photographs], 3):
        noisy = add_gaussian_noise(clean, SIGMA, name)
        top, left = (size // 2 - 128 for size in clean.shape[:2])
        middle = np.s_[top : top + 256, left : left + 256]
        rows.append(side_by_side(noisy[middle], denoise(noisy)[middle], clean[middle]))
    with atomic_path(picture) as temporary:
        Image.fromarray(np.vstack(rows)).save(temporary)


if __name__ == "__main__":
    app.run(run_main(main))
