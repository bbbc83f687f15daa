"""Measures a network's latency, by the paper's protocol and by wall-clock time, and its memory."""

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

GPU_BATCH = 1024  # largest batch that is tried
CPU_BATCH = 16  # a larger batch takes longer and is no faster per image


@dataclasses.dataclass(frozen=True)
class Latency:
    """Measurements of one network at one size.

    Attributes:
        batch: Batch size of the paper's protocol.
        milliseconds: Time per image by that protocol: the profiler's median step, divided by the
            batch size.
        median: Median wall-clock time at batch 1 in ms, from an image on the device to the result
            in NumPy.
        p90: 90th percentile of the same times.
        peak_bytes: Peak memory at batch 1, see `Trace`; where TensorFlow keeps no record of it, the
            growth of the process during a call.
        trace: Trace of the protocol's steps.
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
        model: Model with one input `[N, H, W, C]`.
        height: Height of the images in pixels.
        width: Width of the images in pixels.
        logdir: Folder for the traces, `batch_1` and, for the protocol, `batch_N`.
        steps: Number of steps to trace; four times as many are timed by wall clock.
        max_batch: Upper bound on the batch size; None for what fits, on CPUs at most `CPU_BATCH`.
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
    """Returns the median and the 90th percentile of the times of `count` calls, in ms."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        times.append(1000.0 * (time.perf_counter() - start))
    return float(np.median(times)), float(np.percentile(times, 90))


def _largest_batch(
    step: Callable[[int], Callable[[], Any]], peak_bytes: int, max_batch: int | None
) -> tuple[int, Callable[[], Any]]:
    """Returns the largest power of two that fits as a batch, and a step of that batch."""
    if tf.config.list_physical_devices("GPU"):
        limit = max_batch or GPU_BATCH
    else:  # Linux kills a process that takes too much memory, so a trial could not fail safely
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
