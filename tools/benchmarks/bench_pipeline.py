"""Measures how fast training data is produced, and how fast MalleNet-S consumes it.

    python tools/benchmarks/bench_pipeline.py --data=FOLDER
    python tools/benchmarks/bench_pipeline.py --sidd=4 --model=mallenet_r --patch_size=256

Prints for photographs (if a folder is given) and for leaves the patches per second, the CPU time
per patch, and the ratio to what the network's training steps consume on the same machine. Pipelines
and training run one after the other, so the ratio compares the rates that each has with all cores.
Rates are means after a warm-up, because leaves arrive in bursts.

--sidd makes that many noisy pairs of 5328x3000 in SIDD's layout, prepares them as whole images and
as blocks of 512x512, and measures crops of both, with one and with several crops per decoded image;
nothing else is measured. After the first pass the files are read from the page cache.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from mallenet_tf import data
from mallenet_tf.data.datasets.builders import BUILDERS
from mallenet_tf.data.datasets.preparation import prepare
from mallenet_tf.models import build_model

# Batches before measuring: two blocks of leaves in the default setting.
WARM_UP = 128
SIDD_WARM_UP = 1
SIDD_SIZE = (3000, 5328)  # photographs of a Galaxy S6, the largest of SIDD


def rate(work: Callable[[], Any], patches: int, seconds: float) -> tuple[float, float]:
    """Returns patches per second and CPU milliseconds per patch of a repeated call."""
    start, used, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < seconds:
        work()
        done += patches
    used = time.process_time() - used
    return done / (time.perf_counter() - start), 1000.0 * used / done


def training_step(name: str, batch: tuple[tf.Tensor, tf.Tensor]) -> Callable[[], Any]:
    """Returns a function that runs one training step, always on the same batch."""
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


def make_sidd(folder: Path, pairs: int) -> None:
    """Writes pairs in SIDD's layout: smooth images, without noise and with noise of sigma 8."""
    random = np.random.default_rng(0)
    for number in range(1, pairs + 1):
        scene = folder / "Data" / f"{number:04d}_001_S6_00100_00060_3200_L"
        scene.mkdir(parents=True)
        coarse = Image.fromarray(random.integers(0, 256, (30, 53, 3), np.uint8))
        clean = np.asarray(coarse.resize(SIDD_SIZE[::-1], Image.Resampling.BICUBIC))
        noisy = clean + random.normal(0, 8, clean.shape).astype(np.float32)
        for kind, pixels in (("GT", clean), ("NOISY", np.clip(noisy, 0, 255).astype(np.uint8))):
            Image.fromarray(pixels).save(scene / f"{kind}_SRGB_010.PNG")


def sidd_sources(folder: Path, pairs: int) -> dict[str, data.PreparedImages]:
    """Makes and prepares SIDD-like pairs; returns the sources to compare."""
    make_sidd(folder / "manual", pairs)
    small = BUILDERS["sidd_small"].data_set
    (split,) = small.splits
    whole = dataclasses.replace(split, count=pairs)
    BUILDERS["sidd_small"].data_set = dataclasses.replace(small, splits=(whole,))
    for variant in ("full", "blocks512"):
        print(prepare(f"sidd_small/{variant}", str(folder / "manual"), str(folder / "data")))
    return {
        f"{variant}, {crops} crops per image decoded": data.PreparedImages(
            f"sidd_small/{variant}",
            str(folder / "data"),
            crops_per_image=crops,
            images_at_once=min(64, at_once),
        )
        for variant, crops, at_once in (
            ("full", 1, pairs),
            ("full", 32, pairs),
            ("blocks512", 1, 64),
            ("blocks512", 4, 64),
        )
    }


def parse_flags() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="folder, glob or file of photographs; default: leaves only")
    parser.add_argument("--sidd", type=int, help="measure this number of SIDD-like pairs instead")
    parser.add_argument("--model", default="mallenet_s", help="network to compare with")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--patch_size", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20.0, help="duration of each measurement")
    return parser.parse_args()


def main() -> None:
    """Runs the measurements that the flags ask for."""
    flags = parse_flags()
    print(f"{os.cpu_count()} processors, TensorFlow {tf.__version__}, float32")
    print(f"batches of {flags.batch_size} x {flags.patch_size} x {flags.patch_size} x 3")
    if flags.sidd:
        with tempfile.TemporaryDirectory() as folder:
            compare(sidd_sources(Path(folder), flags.sidd), None, flags, SIDD_WARM_UP)
        return
    sources: dict[str, Any] = {"leaves": data.Leaves()}
    if flags.data:
        sources["photographs"] = data.ImageFolder(flags.data)
    compare(sources, data.GaussianNoise(25.0), flags, WARM_UP)


def compare(
    sources: Mapping[str, Any],
    noise: data.GaussianNoise | None,
    flags: argparse.Namespace,
    warm_up: int,
) -> None:
    """Measures sources and training one after the other and prints their rates."""
    size, patch = flags.batch_size, flags.patch_size
    results = {}
    for name, source in sources.items():
        batches = iter(data.training_dataset([source], noise, batch_size=size, patch_size=patch))
        for _ in range(warm_up):
            batch = next(batches)
        results[name] = rate(partial(next, batches), size, flags.seconds)
        # Deleting the iterator stops its threads before the next measurement.
        del batches
    step = training_step(flags.model, batch)
    step()
    consumed, _ = rate(step, size, flags.seconds)
    print(f"{flags.model} training: {consumed:.1f} patches/s")
    for name, (made, cost) in results.items():
        print(
            f"{name}: {made:.0f} patches/s, {cost:.2f} ms of CPU time each, "
            f"{made / consumed:.1f} times what training consumes"
        )


if __name__ == "__main__":
    main()
