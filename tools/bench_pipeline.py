"""Measures how fast training data is made, and how fast MalleNet-S uses it up.

    python tools/bench_pipeline.py --data=FOLDER

prints, for photographs (if a folder is given) and for leaves, patches per second, the time that
the processor spends on one patch, and the ratio to what training steps of MalleNet-S consume on
the same machine in the same run. Pipelines and training run one after the other, so the ratio
compares what each reaches with all cores. Rates are means, after a warm-up: leaves come in bursts.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from mallenet_tf import data
from mallenet_tf.models import build_model

# Batches made before measuring: two blocks of leaves in the default setting.
WARM_UP = 128


def rate(work: Callable[[], Any], patches: int, seconds: float) -> tuple[float, float]:
    """Patches per second and processor milliseconds per patch of a repeated call."""
    start, used, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < seconds:
        work()
        done += patches
    used = time.process_time() - used
    return done / (time.perf_counter() - start), 1000.0 * used / done


def training_step(name: str, batch: tuple[tf.Tensor, tf.Tensor]) -> Callable[[], Any]:
    """Returns a function that makes one step of training, always on the same batch."""
    model = build_model(name)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    inputs, clean = batch

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(model(inputs, training=True) - clean))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return lambda: step().numpy()


def parse_flags() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="folder, glob or file of photographs; left out if absent")
    parser.add_argument("--model", default="mallenet_s", help="network to compare with")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--patch_size", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20.0, help="time for each measurement")
    return parser.parse_args()


def main() -> None:
    """Runs the measurements that the flags ask for."""
    flags = parse_flags()
    size, patch = flags.batch_size, flags.patch_size
    sources: dict[str, Any] = {"leaves": data.Leaves()}
    if flags.data:
        sources["photographs"] = data.ImageFolder(flags.data)
    print(f"{os.cpu_count()} processors, TensorFlow {tf.__version__}, float32")
    print(f"batches of {size} x {patch} x {patch} x 3")

    results = {}
    for name, source in sources.items():
        batches = iter(
            data.training_dataset(
                [source], data.GaussianNoise(25.0), batch_size=size, patch_size=patch
            )
        )
        for _ in range(WARM_UP):
            batch = next(batches)
        results[name] = rate(partial(next, batches), size, flags.seconds)
        # Dropping the iterator stops its threads, before anything else is measured.
        del batches
    step = training_step(flags.model, batch)
    step()
    consumed, _ = rate(step, size, flags.seconds)
    print(f"{flags.model} training: {consumed:.0f} patches/s")
    for name, (made, cost) in results.items():
        print(
            f"{name}: {made:.0f} patches/s, {cost:.2f} ms of processor time each, "
            f"{made / consumed:.1f} times what training consumes"
        )


if __name__ == "__main__":
    main()
