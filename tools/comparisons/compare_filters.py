r"""Trains DnCNNs with and without a dynamic filter in the middle and compares quality and latency.

    python tools/comparisons/compare_filters.py --photographs=data/bsd400 \
      --data=data/cbsd68 --output=filters

Repeats malleconv.txt's Figs. 4 and 7 at a scale for CPUs: DnCNN of 3, 6 and 9 layers with 16
channels at sigma 50, plain and with MalleConv, HyperNetwork and Involution (3 x 3) in place of its
middle convolution. Photographs, noise, loss, schedule and number of steps are the same for all. The
PSNR of such narrow networks depends much on the initial weights: `--filters=none:2` trains each
twice and shows the mean. Writes filters.csv, filters.md and filters.png: PSNR on --data by the
evaluation's protocol, against the latency on one 256x256 image.

Each network trains in its own folder below --output. The same command resumes a stopped comparison
and skips the networks that are done.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf
from absl import logging

from mallenet_tf import training
from mallenet_tf.common.errors import UserError, run_main, user_input
from mallenet_tf.common.files import atomic_path
from mallenet_tf.data import GaussianNoise, ImageFolder
from mallenet_tf.evaluation.validation import Validation
from mallenet_tf.experiment.run import Experiment
from mallenet_tf.layers import DYNAMIC_FILTERS
from mallenet_tf.models import DenoisingModel, build_model
from mallenet_tf.models.folding import fold_normalization
from mallenet_tf.profiling import benchmarking, count_multiply_adds, count_parameters
from mallenet_tf.training import optimizers

PLAIN = "none"
# Involution's own 7 x 7 takes five times as long to train on a CPU.
OPTIONS = {"involution": {"kernel_size": 3}}
LABELS = {PLAIN: "DnCNN", "malleconv": "with MalleConv", "hypernetwork": "with HyperNetwork"}
SIDE = 256  # side of the image for the latency, as in the paper


def builder(depth: int, kind: str, width: int) -> Callable[[], DenoisingModel]:
    """Returns the function that builds a network."""
    return functools.partial(
        build_model,
        "dncnn",
        depth=depth,
        width=width,
        dynamic=None if kind == PLAIN else kind,
        dynamic_options=OPTIONS.get(kind),
        normalization="batch",
    )


def train(flags: argparse.Namespace, depth: int, kind: str, seed: int) -> DenoisingModel:
    """Trains a network or resumes its training; returns it with its averaged weights."""
    steps = flags.steps
    folder = flags.output / f"depth{depth}_{kind}_seed{seed}"
    experiment = Experiment(
        folder,
        model=builder(depth, kind, flags.width),
        optimizer=lambda: optimizers.optimizer(
            "adam",
            optimizers.cosine(2e-3, steps, warmup=steps // 20, final=1e-6),
            ema=max(0.0, min(0.999, 1 - 10 / steps)),
        ),
        loss=training.l1,
        sources=[ImageFolder(flags.photographs)],
        noise=GaussianNoise(flags.sigma),
        validation=Validation(flags.data, (flags.sigma,), limit=1, pictures=0),
        options=training.TrainingOptions(
            steps=steps,
            batch_size=flags.batch_size,
            clip_norm=1.0,
            log_every=max(1, steps // 20),
            validate_every=steps,
            save_every=max(1, steps // 4),
        ),
        patch_size=flags.patch_size,
        seed=seed,
    )
    with user_input():
        trainer = experiment.trainer()
    network = trainer.run()
    # Written by the validation, which only the last step has.
    if not (folder / "best.keras").is_file():
        raise UserError("The training was stopped; the same command resumes it.")
    return network


def time_networks(networks: dict[str, DenoisingModel], seconds: float) -> dict[str, float]:
    """Measures the median milliseconds per image; the networks take turns."""
    image = tf.random.stateless_uniform((1, SIDE, SIDE, 3), seed=(0, 0))

    def call(network: DenoisingModel) -> benchmarking.Call:
        graph = tf.function(lambda images: network(images, training=False), autograph=False)
        graph(image)
        return lambda: graph(image).numpy()

    calls = {name: call(network) for name, network in networks.items()}
    timings = benchmarking.take_turns(calls, [], seconds)
    return {name: 1e3 * timing.median for name, timing in timings.items()}


def measure(flags: argparse.Namespace) -> list[dict[str, object]]:
    """Trains, scores and times all networks; returns a row for each."""
    rows: list[dict[str, object]] = []
    networks = {}
    for depth, (kind, seeds) in itertools.product(flags.depths, flags.filters.items()):
        for seed in range(seeds):
            keras.backend.clear_session()
            network = train(flags, depth, kind, seed)
            score = Validation(flags.data, (flags.sigma,), flags.limit, pictures=0).scorer(network)
            psnr = score(network)[0][f"sigma_{flags.sigma:g}"]
            rows.append(
                {
                    "depth": depth,
                    "filter": kind,
                    "seed": seed,
                    "parameters": count_parameters(network),
                    "gflops": round(2 * count_multiply_adds(network, SIDE, SIDE) / 1e9, 3),
                    "psnr": round(psnr, 3),
                }
            )
            print(f"depth {depth}, {kind}, seed {seed}: {psnr:.3f} dB", flush=True)
        networks[f"{depth} {kind}"] = fold_normalization(network)
    times = time_networks(networks, flags.seconds)
    for row in rows:
        row["ms"] = round(times[f"{row['depth']} {row['filter']}"], 3)
    return rows


def points(rows: Sequence[dict], kind: str) -> list[tuple[int, float, list[float]]]:
    """Returns depth, milliseconds and the PSNR of each seed for the networks with a filter."""
    mine = [row for row in rows if row["filter"] == kind]
    depths = dict.fromkeys((row["depth"], row["ms"]) for row in mine)
    return [
        (depth, time, [row["psnr"] for row in mine if row["depth"] == depth])
        for depth, time in depths
    ]


def markdown(rows: Sequence[dict], filters: Sequence[str]) -> str:
    """Formats a table: a line per depth, with PSNRs and latency per filter."""
    head = "| depth | " + " | ".join(label(kind) for kind in filters) + " |"
    lines = [head, "|---" * (len(filters) + 1) + "|"]
    for depth in dict.fromkeys(row["depth"] for row in rows):
        cells = []
        for kind in filters:
            _, time, scores = next(point for point in points(rows, kind) if point[0] == depth)
            each = "" if len(scores) == 1 else f" ({', '.join(f'{psnr:.2f}' for psnr in scores)})"
            cells.append(f"{statistics.fmean(scores):.2f} dB{each}, {time:.1f} ms")
        lines.append(f"| {depth} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def label(kind: str) -> str:
    """Returns the name of a filter in the table and the plot."""
    return LABELS.get(kind, f"with {kind.replace('_', ' ').title()}")


def draw(path: Path, rows: Sequence[dict], filters: Sequence[str], title: str) -> None:
    """Draws PSNR over latency: a line per filter through the means, a dot per seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for kind in filters:
        line = points(rows, kind)
        means = [statistics.fmean(scores) for _, _, scores in line]
        (drawn,) = axes.plot([time for _, time, _ in line], means, "o-", label=label(kind))
        for (depth, time, scores), mean in zip(line, means, strict=True):
            axes.plot([time] * len(scores), scores, ".", color=drawn.get_color(), alpha=0.5)
            axes.annotate(str(depth), (time, mean), xytext=(4, 4), textcoords="offset points")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.set_xlabel(f"milliseconds for one {SIDE}x{SIDE} image")
    axes.set_ylabel("PSNR, dB")
    axes.set_title(title, fontsize=9)
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


def parse_flags(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def numbers(text: str) -> list[int]:
        return [int(word) for word in text.split(",")]

    def kinds(text: str) -> dict[str, int]:
        known = [PLAIN, *DYNAMIC_FILTERS]
        seeds = {}
        for word in text.split(","):
            name, _, count = word.partition(":")
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
            if not (count or "1").isdigit() or int(count or 1) < 1:
                raise argparse.ArgumentTypeError(f"{word!r} has no positive number after :")
            seeds[name] = int(count or 1)
        return seeds

    parser.add_argument("--photographs", required=True, help="folder or glob to train on")
    parser.add_argument("--data", required=True, help="folder or glob to score on")
    parser.add_argument("--output", type=Path, required=True, help="folder for runs and results")
    parser.add_argument("--depths", type=numbers, default=[3, 6, 9])
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument(
        "--filters",
        type=kinds,
        default="none:2,malleconv:2,hypernetwork,involution",
        help="NAME or NAME:TRAININGS, separated by commas (default %(default)s)",
    )
    parser.add_argument("--sigma", type=float, default=50.0, help="noise level in 8-bit units")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--patch_size", type=int, default=64)
    parser.add_argument("--limit", type=int, help="number of images to score")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="duration of the latency measurement"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    """Trains, scores and times networks, and writes the table and the plot."""
    flags = parse_flags(argv)
    logging.set_verbosity(logging.INFO)  # shows the training's progress
    machine = benchmarking.describe_machine()
    rows = measure(flags)
    benchmarking.write_csv(flags.output / "filters.csv", rows, machine)
    table = markdown(rows, flags.filters)
    with atomic_path(flags.output / "filters.md") as temporary:
        temporary.write_text(table)
    title = (
        f"DnCNN with {flags.width} channels, sigma {flags.sigma:g}, {flags.steps} steps; "
        f"{machine['hardware']}, {machine['date']}"
    )
    draw(flags.output / "filters.png", rows, flags.filters, title)
    print(table, end="")
    print(f"wrote {flags.output}/filters.csv, .md and .png")


if __name__ == "__main__":
    run_main(main)(sys.argv[1:])
