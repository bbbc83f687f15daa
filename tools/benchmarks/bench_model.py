"""Compares the speed of MalleNet with the native op and with the reference.

    python tools/benchmarks/bench_model.py --output=bench

On the CPU, float32: a training step (forward, backward, Adam) on patches of 96x96 and inference on
one image of 512x512, for MalleNet-S and -L. Both networks have the same weights and take turns;
medians are compared. The reference consists of TensorFlow ops in a compiled graph; the rest of the
network is the same in both.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import tensorflow as tf

from mallenet_tf.common.errors import UserError, run_main, user_output
from mallenet_tf.models import build_model
from mallenet_tf.ops import native_available
from mallenet_tf.profiling import benchmarking


@dataclass(frozen=True)
class Task:
    """A training step or inference of a model on images of `shape` [N, H, W, C]."""

    model: str
    training: bool
    shape: tuple[int, int, int, int]

    def __str__(self) -> str:
        name = "training step" if self.training else "inference"
        return f"{self.model}, {name}, {'x'.join(map(str, self.shape))}"


TASKS = (
    Task("mallenet_s", True, (8, 96, 96, 3)),
    Task("mallenet_s", False, (1, 512, 512, 3)),
    Task("mallenet_l", True, (2, 96, 96, 3)),
    Task("mallenet_l", False, (1, 512, 512, 3)),
)
QUICK_TASKS = (
    Task("mallenet_s", True, (1, 32, 32, 3)),
    Task("mallenet_s", False, (1, 32, 32, 3)),
)


def compile_task(task: Task, implementation: str) -> Callable[[], np.ndarray]:
    """Returns a function that runs the task once and returns the loss or the images."""
    keras.utils.set_random_seed(0)
    model = build_model(task.model, implementation=implementation)
    noisy = tf.random.stateless_uniform(task.shape, seed=(0, 0))
    if not task.training:
        graph = tf.function(lambda images: model(images, training=False), autograph=False)
        return lambda: graph(noisy).numpy()
    clean = tf.random.stateless_uniform(task.shape, seed=(1, 0))
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)

    @tf.function(autograph=False)
    def step(noisy: tf.Tensor, clean: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(model(noisy, training=True) - clean))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return lambda: step(noisy, clean).numpy()


def measure(task: Task, seconds: float) -> dict[str, object]:
    """Times both implementations of a task; returns a row of the CSV file."""
    calls = {name: compile_task(task, name) for name in ("native", "reference")}
    for call in calls.values():
        call()
        call()
    timings = benchmarking.take_turns(calls, ["native"], seconds, slow_seconds=math.inf)
    native, reference = timings["native"], timings["reference"]
    return {
        "model": task.model,
        "task": "training step" if task.training else "inference",
        "shape": "x".join(map(str, task.shape)),
        "native_ms": round(native.median * 1e3, 3),
        "reference_ms": round(reference.median * 1e3, 3),
        "speedup": round(reference.median / native.median, 3),
        "native_best_ms": round(native.best * 1e3, 3),
        "reference_best_ms": round(reference.best * 1e3, 3),
        "native_calls": native.calls,
        "reference_calls": reference.calls,
    }


def parse_flags(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, help="folder for bench_model.csv")
    parser.add_argument("--seconds", type=float, default=12.0, help="duration of each task")
    parser.add_argument("--quick", action="store_true", help="small images, for a quick test")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    """Prints a line for each task, then writes the CSV file."""
    flags = parse_flags(argv)
    if not native_available():
        raise UserError("The native op is not available: the log says why, and how to build it.")
    if flags.output:
        with user_output(flags.output):  # before minutes of measuring
            flags.output.mkdir(parents=True, exist_ok=True)
    machine = benchmarking.describe_machine()
    print(benchmarking.headline(machine))
    print(f"{'':44}{'native ms':>11}{'reference ms':>14}{'ratio':>8}")
    rows = []
    for task in QUICK_TASKS if flags.quick else TASKS:
        row = measure(task, 0.05 if flags.quick else flags.seconds)
        times = f"{row['native_ms']:11.1f}{row['reference_ms']:14.1f}{row['speedup']:8.2f}"
        print(f"{task!s:<44}{times}", flush=True)
        rows.append(row)
    if flags.output:
        path = flags.output / "bench_model.csv"
        benchmarking.write_csv(path, rows, machine)
        print(f"wrote {path}")


if __name__ == "__main__":
    run_main(main)(sys.argv[1:])
