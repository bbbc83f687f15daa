"""Denoises a photograph with the shipped network, then trains a small network on synthetic images.

    python tools/quickstart.py

It needs no download: it trains on synthetic leaves, and scores and draws photographs that come with
scikit-image. Training takes about --minutes: the number of steps, and with it the schedule, is set
by the speed of the machine. The same command resumes a stopped run.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mallenet_tf.common.errors import UserError, run_main
from mallenet_tf.common.files import atomic_path
from mallenet_tf.common.processes import run_to_the_end
from mallenet_tf.common.startup import start_keras

SIGMA = 25
BATCH, PATCH = 16, 64  # as in gin_configs/experiments/quickstart.gin
# Fewer steps gain less than 8 dB; more gain too little for the time that they take.
LEAST_STEPS, MOST_STEPS = 200, 1500
DATA_OVERHEAD = 1.3  # time of a training step with its data, relative to a step without

NEXT = """
What next:
  look at      {output}/photographs.png and {output}/results.csv
  denoise      {python} -m mallenet_tf.denoise YOUR_PHOTO.jpg --output=clean.png
  train more   {python} -m mallenet_tf.train --gin_file=experiments/mallenet_s_bsd400.gin \\
                 --model_dir=runs/mallenet_s_sigma25   (needs photographs; see the head of the file)
  watch a run  tensorboard --logdir={output}/run
"""


def run_module(module: str, *arguments: str) -> None:
    """Runs one of the package's commands and shows its output.

    Raises:
        UserError: If the command fails; it has printed why.
    """
    status = run_to_the_end([sys.executable, "-m", module, *arguments])
    if status:
        raise UserError(f"{module} ended with status {status}; see above.")


def denoise_with_shipped_network(photograph: Path, folder: Path) -> None:
    """Adds noise to a photograph and denoises it with the command `mallenet_tf.denoise`."""
    from mallenet_tf.data import add_gaussian_noise
    from mallenet_tf.image_io import quantize, read_image, write_image

    noisy = folder / "noisy.png"
    write_image(noisy, quantize(add_gaussian_noise(read_image(photograph), SIGMA, photograph.name)))
    denoised = folder / "denoised.png"
    arguments = (str(noisy), f"--output={denoised}", "--compare", "--overwrite")
    run_module("mallenet_tf.denoise", *arguments)
    print(f"\nThe shipped network: noisy and denoised side by side in {denoised}.compare.png\n")


def steps_for(minutes: float, seconds_per_step: float) -> int:
    """Returns the number of training steps that fit into `minutes`, within bounds."""
    fitting = int(60 * minutes / (DATA_OVERHEAD * seconds_per_step))
    return max(LEAST_STEPS, min(MOST_STEPS, fitting))


def measure_seconds_per_step() -> float:
    """Returns the median time of a few training steps, after two that compile the network."""
    from mallenet_tf.models import build_model

    model = build_model("mallenet_s")
    model.compile("adam", "mae", jit_compile=False)
    batch = np.zeros((BATCH, PATCH, PATCH, 3), np.float32)
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        model.train_on_batch(batch, batch)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[2:])


def planned_steps(folder: Path, minutes: float) -> int:
    """Returns the number of steps: as the run in `folder` began, or by the machine's speed."""
    plan = folder / "plan.json"
    if not plan.is_file():
        seconds = measure_seconds_per_step()
        steps = steps_for(minutes, seconds)
        with atomic_path(plan) as temporary:
            temporary.write_text(json.dumps({"steps": steps, "seconds_per_step": seconds}))
    planned = json.loads(plan.read_text())
    estimate = planned["steps"] * planned["seconds_per_step"] * DATA_OVERHEAD / 60
    print(f"Training for {planned['steps']} steps, about {estimate:.0f} minutes here.", flush=True)
    return planned["steps"]


def main(argv: Sequence[str]) -> None:
    """Denoises, trains, evaluates and draws."""
    parser = argparse.ArgumentParser(description="Denoises a photograph and trains a network.")
    parser.add_argument(
        "--output", type=Path, default=Path("quickstart"), help="folder for the results"
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="approximate training time")
    flags = parser.parse_args(argv)
    output = flags.output
    start_keras()
    from figures.draw_photographs import collect_photographs, draw  # imports TensorFlow

    photographs = collect_photographs(output / "photographs")
    denoise_with_shipped_network(photographs[0], output)
    run = output / "run"
    steps = planned_steps(output, flags.minutes)
    run_module(
        "mallenet_tf.train",
        "--gin_file=experiments/quickstart.gin",
        f'--gin_param=VALIDATION = "{output / "photographs"}"',
        f"--gin_param=STEPS = {steps}",
        f"--model_dir={run}",
    )
    if not (run / "best.keras").is_file():
        raise UserError("The training was stopped; the same command resumes it.")
    run_module(
        "mallenet_tf.evaluate",
        *(f"--weights={run}", f"--data={output / 'photographs'}", f"--sigma={SIGMA}"),
        f"--output={output / 'results.csv'}",
    )
    draw(run, photographs, SIGMA, output / "photographs.png")
    print(NEXT.format(output=output, python=sys.executable))


if __name__ == "__main__":
    run_main(main)(sys.argv[1:])
