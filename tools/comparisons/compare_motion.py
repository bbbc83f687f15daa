r"""Trains networks for video and compares them at growing motion.

    python tools/comparisons/compare_motion.py --output=motion
    python tools/comparisons/compare_motion.py --output=motion \
      --photographs=data/bsd400 --data=data/cbsd68

Repeats deformable_kernels.txt's Fig. 8 at a scale for CPUs, on synthetic scenes. "2d" are kernels
of 3x3 pixels sampled from each of five frames, "3d" is one kernel of 3x3x3 pixels sampled from all
of them, "kpn" are rigid kernels of 5x5 pixels in each frame. The networks train on motion of all
speeds up to the highest and are scored at each speed, on the same target frames. The images are
gray, with the paper's noise at its high level. Writes motion.csv, motion.md and motion.png.

Without --photographs the scenes are made of leaves and need no files. Each network trains in its
own folder below --output. The same command resumes a stopped comparison and skips the networks that
are done. --weights=3d=runs/mine scores a trained network instead of training one.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
from absl import logging

from mallenet_tf import training
from mallenet_tf.common.errors import UserError, run_main, user_input
from mallenet_tf.common.files import atomic_path
from mallenet_tf.data import ImageFolder, Leaves, MovingScenes, PoissonGaussianNoise, Source
from mallenet_tf.evaluation.video_validation import SceneValidation
from mallenet_tf.experiment.run import Experiment
from mallenet_tf.models import DenoisingModel, build_model, load_model
from mallenet_tf.profiling import count_parameters
from mallenet_tf.training import optimizers

FRAMES = 5
NETWORKS = {
    "2d": ("deformable_kernels_2d", {"kernel_size": 3}),
    "3d": ("deformable_kernels_3d", {"kernel_size": 3}),
    "kpn": ("kpn", {"kernel_size": 5}),
}
LABELS = {"2d": "2-D kernels, each frame", "3d": "3-D kernels", "kpn": "rigid kernels (KPN)"}
# deformable_kernels.txt, Table 3, "High".
NOISE = PoissonGaussianNoise((6.4e-3, 6.4e-3), (2e-2, 2e-2))


def images(pattern: str | None) -> Source:
    """Returns the source of the scenes' layers."""
    return Leaves() if pattern is None else ImageFolder(pattern)


def validation(flags: argparse.Namespace, motion: float) -> SceneValidation:
    """Returns held-out scenes whose layers all move by `motion` pixels per frame."""
    scenes = MovingScenes(
        images(flags.data or flags.photographs),
        layers=flags.layers,
        speed=(motion, motion),
        room_for=max(flags.motions),
    )
    return SceneValidation(
        scenes, (), NOISE, count=flags.count, size=flags.size, frames=FRAMES, pictures=0
    )


def train(flags: argparse.Namespace, name: str) -> DenoisingModel:
    """Trains a network or resumes its training; returns it with its averaged weights."""
    model, options = NETWORKS[name]
    steps = flags.steps
    folder = flags.output / name
    experiment = Experiment(
        folder,
        model=lambda: build_model(
            model, frames=FRAMES, width=flags.width, image_channels=1, **options
        ),
        optimizer=lambda: optimizers.optimizer(
            "adam",
            optimizers.cosine(1e-3, steps, final=1e-5),
            ema=min(0.999, 1 - 10 / (steps + 10)),
        ),
        # The paper's eta; its gamma fades to 1e-2 here after half the steps.
        loss=training.AnnealedGroups(training.l1, 100.0, 1e-4 ** (2 / steps)),
        sources=[
            MovingScenes(
                images(flags.photographs), layers=flags.layers, speed=(0.0, max(flags.motions))
            )
        ],
        noise=NOISE,
        validation=validation(flags, max(flags.motions)),
        options=training.TrainingOptions(
            steps=steps,
            batch_size=flags.batch_size,
            clip_norm=1.0,
            log_every=max(1, steps // 20),
            validate_every=steps,
            save_every=max(1, steps // 4),
        ),
        patch_size=flags.patch_size,
    )
    with user_input():
        trainer = experiment.trainer()
    network = trainer.run()
    if not (folder / "best.keras").is_file():  # a stopped training leaves last.keras only
        raise UserError("The training was stopped; the same command resumes it.")
    return network


def measure(flags: argparse.Namespace) -> list[dict[str, object]]:
    """Trains and scores all networks; returns a row for each network and motion."""
    rows: list[dict[str, object]] = []
    for name in flags.networks:
        keras.backend.clear_session()
        given = flags.weights.get(name)
        if given is None:
            network = train(flags, name)
        else:
            with user_input():
                network = load_model(given)
        if network.image_channels != 1:
            raise UserError(
                f"The comparison takes networks for gray images. Received: --weights={given}"
            )
        for motion in flags.motions:
            psnr = validation(flags, motion).scorer(network)(network)[0]["noise"]
            parameters = count_parameters(network)
            rows.append(
                {
                    "network": name,
                    "motion": motion,
                    "psnr": f"{psnr:.3f}",
                    "parameters": parameters,
                    "steps": flags.steps if given is None else "",
                }
            )
            print(f"{LABELS[name]}, {motion:g} pixels per frame: {psnr:.3f} dB", flush=True)
    return rows


def write_table(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Writes the rows as CSV."""
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def markdown(rows: Sequence[dict[str, object]]) -> str:
    """Formats a table with a line for each motion and a column for each network."""
    names = list(dict.fromkeys(str(row["network"]) for row in rows))
    lines = [
        "| pixels per frame | " + " | ".join(LABELS[name] for name in names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for motion in dict.fromkeys(row["motion"] for row in rows):
        cells = [f"{row['psnr']} dB" for row in rows if row["motion"] == motion]
        lines.append(f"| {motion:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def draw(path: Path, rows: Sequence[dict], title: str) -> None:
    """Draws PSNR over motion, a line for each network."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name in dict.fromkeys(row["network"] for row in rows):
        line = [row for row in rows if row["network"] == name]
        motions, values = [row["motion"] for row in line], [float(row["psnr"]) for row in line]
        axes.plot(motions, values, "o-", label=LABELS[name])
    axes.set_xlabel("motion, pixels per frame")
    axes.set_ylabel("PSNR, dB")
    axes.set_title(title, fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


SMOKE = {
    **{"steps": 2, "width": 2, "batch_size": 1, "patch_size": 16, "count": 1, "size": 16},
    **{"motions": [0.0, 1.0], "networks": ["3d"]},
}


def parse_flags(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def known(name: str) -> str:
        if name not in NETWORKS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(NETWORKS)}")
        return name

    def names(text: str) -> list[str]:
        return [known(name) for name in text.split(",")]

    def numbers(text: str) -> list[float]:
        return [float(word) for word in text.split(",")]

    def weights(text: str) -> tuple[str, str]:
        name, _, path = text.partition("=")
        return known(name), path

    parser.add_argument("--output", type=Path, required=True, help="folder for runs and results")
    parser.add_argument("--photographs", help="folder or glob to train on; default: leaves")
    parser.add_argument("--data", help="folder or glob to score on; default: --photographs")
    parser.add_argument("--networks", type=names, default=["2d", "3d"], help="some of 2d, 3d, kpn")
    parser.add_argument("--motions", type=numbers, default=[0.0, 1.0, 2.0, 4.0, 6.0, 8.0])
    parser.add_argument("--weights", type=weights, action="append", default=[])
    parser.add_argument("--layers", type=int, default=2, help="number of moving layers")
    parser.add_argument(
        "--width", type=int, default=8, help="channels of the networks; 64 in the paper"
    )
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch_size", type=int, default=4)
    parser.add_argument("--patch_size", type=int, default=48)
    parser.add_argument("--count", type=int, default=24, help="number of scenes to score on")
    parser.add_argument("--size", type=int, default=96, help="side of the scored scenes in pixels")
    parser.add_argument("--smoke", action="store_true", help="run every part once at a tiny size")
    flags = parser.parse_args(argv)
    flags.weights = dict(flags.weights)
    if flags.smoke:
        vars(flags).update(SMOKE)
    return flags


def main(argv: Sequence[str]) -> None:
    """Trains and scores networks, and writes the table and the plot."""
    flags = parse_flags(argv)
    logging.set_verbosity(logging.INFO)  # shows the trainings' progress
    rows = measure(flags)
    write_table(flags.output / "motion.csv", rows)
    table = markdown(rows)
    with atomic_path(flags.output / "motion.md") as temporary:
        temporary.write_text(table)
    title = (
        f"Width {flags.width}, {flags.steps} steps, {flags.count} scenes of {flags.layers} layers"
    )
    draw(flags.output / "motion.png", rows, title)
    print(table, end="")
    print(f"wrote {flags.output}/motion.csv, .md and .png")


if __name__ == "__main__":
    run_main(main)(sys.argv[1:])
