"""How long a network takes, by the paper's protocol and by the clock, and the memory it needs."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mallenet_tf.inference import memory
from mallenet_tf.profiling.trace import Trace, capture, read_trace

GPU_BATCH = 1024  # the largest that is tried
CPU_BATCH = 16  # a larger one takes longer and is no faster an image


@dataclasses.dataclass(frozen=True)
class Latency:
    """Measurements of one network at one size.

    Attributes:
        batch: images in a step of the paper's protocol.
        milliseconds: per image by that protocol: the profiler's median step, divided by the batch.
        median, p90: of the clock's times at batch 1, in ms, from an image on the device to the
            answer in NumPy.
        peak_bytes: Memory at batch 1, see `Trace`; where TensorFlow keeps no record of it, the
            growth of the process during a call.
        trace: of the protocol.
    """

    batch: int
    milliseconds: float
    median: float
    p90: float
    peak_bytes: int
    trace: Trace


def measure(
    model: keras.Model,
    height: int,
    width: int,
    logdir: Path,
    steps: int = 5,
    max_batch: int | None = None,
) -> Latency:
    """Profiles a network's inference.

    The paper's protocol (malleconv.txt, section 4): images of 256x256, the largest batch that
    fits, the time that TensorFlow's profiler reports.

    Args:
        model: with one input `[N, H, W, C]`.
        height, width: of the images, in pixels.
        logdir: for the traces: in `batch_1` and, for the protocol, `batch_N`.
        steps: how many steps are traced, and four times as many are timed by the clock.
        max_batch: bound on the batch; None for what fits, on CPUs at most `CPU_BATCH`.
    """
    channels = model.inputs[0].shape[-1]
    signature = [tf.TensorSpec([None, height, width, channels], tf.float32)]
    graph = tf.function(lambda images: model(images, training=False), input_signature=signature)

    def step(batch: int) -> Callable[[], Any]:
        random = np.random.default_rng(0)
        images = tf.constant(random.random((batch, height, width, channels), np.float32))

        def call() -> np.ndarray:
            return graph(images).numpy()

        call()  # traces, allocates, and shows whether the batch fits
        return call

    single = step(1)
    median, p90 = time_calls(single, 4 * steps)
    recorded = read_trace(capture(single, 2, logdir / "batch_1")).peak_bytes
    peak = memory.peak_growth(single) if recorded is None else recorded
    batch, largest = _largest_batch(step, peak, max_batch)
    trace = read_trace(capture(largest, steps, logdir / f"batch_{batch}"))
    per_image = float(np.median(trace.steps)) / batch
    return Latency(batch, per_image, median, p90, peak, trace)


def time_calls(call: Callable[[], Any], count: int) -> tuple[float, float]:
    """Median and 90th percentile of the times of `count` calls, in ms."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        times.append(1000.0 * (time.perf_counter() - start))
    return float(np.median(times)), float(np.percentile(times, 90))


def _largest_batch(
    step: Callable[[int], Callable[[], Any]], peak_bytes: int, max_batch: int | None
) -> tuple[int, Callable[[], Any]]:
    """The largest power of two that fits, and a step of that many images."""
    if tf.config.list_physical_devices("GPU"):
        limit = max_batch or GPU_BATCH
    else:  # Linux ends a process that takes too much, so that trying is no way to find out
        fitting = memory.available() // 2 // max(peak_bytes, 1)
        limit = max(1, min(max_batch or CPU_BATCH, fitting))
    batch = 1 << (limit.bit_length() - 1)
    while True:
        try:
            return batch, step(batch)
        except tf.errors.ResourceExhaustedError:
            if batch == 1:
                raise
            batch //= 2
