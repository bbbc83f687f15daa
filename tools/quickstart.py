"""Trains a small denoiser on synthetic images, then shows what it does to photographs.

    python tools/quickstart.py

Takes less than ten minutes on two CPU cores and needs no download: it trains on leaves, and scores
and draws photographs that come with scikit-image. Stopped, it goes on where it was.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags
from draw_photographs import collect_photographs, draw
from processes import run_to_the_end

from mallenet_tf.common.errors import UserError, run_main

ROOT = Path(__file__).resolve().parent.parent
SIGMA = 25

_OUTPUT = flags.DEFINE_string("output", "quickstart", "Folder for the results.")
_GIN_PARAM = flags.DEFINE_multi_string("gin_param", [], "Passed on to the training.")

NEXT = """
What next:
  look at      {output}/photographs.png and {output}/results.csv
  denoise      {python} -m mallenet_tf.denoise YOUR_PHOTO.jpg --output=clean.png
  train more   {python} -m mallenet_tf.train --gin_file=experiments/mallenet_s_bsd400.gin \\
                 --model_dir=runs/mallenet_s_sigma25   (wants photographs; see its first lines)
  watch a run  tensorboard --logdir={output}/run
"""


def run_module(module: str, *arguments: str) -> None:
    """Runs one of the package's binaries as a user would, showing its output.

    Raises:
        UserError: if it fails; it has printed why.
    """
    status = run_to_the_end([sys.executable, "-m", module, *arguments])
    if status:
        raise UserError(f"{module} ended with status {status}; see above.")


def main(argv: Sequence[str]) -> None:
    """Runs what the module's docstring says."""
    if len(argv) > 1:
        raise UserError(f"quickstart takes flags only. Received: {' '.join(argv[1:])}")
    output = Path(_OUTPUT.value)
    photographs = collect_photographs(output / "photographs")
    run = output / "run"
    run_module(
        "mallenet_tf.train",
        f"--gin_file={ROOT / 'gin_configs' / 'experiments' / 'quickstart.gin'}",
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
    draw(run, photographs, SIGMA, output / "photographs.png")
    print(NEXT.format(output=output, python=sys.executable))


if __name__ == "__main__":
    app.run(run_main(main))
