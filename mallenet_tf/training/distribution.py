"""Devices: how many replicas train, and in which precision."""

import os
from collections.abc import Sequence

import keras
import tensorflow as tf

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


def make_strategy(devices: Sequence[str] | None = None) -> tf.distribute.Strategy:
    """Chooses how to distribute: several workers if TF_CONFIG is set, else all GPUs of this machine.

    Args:
        devices: train on these, for example `["GPU:0", "GPU:1"]`; None for all GPUs, or the CPU.
    """
    if os.environ.get("TF_CONFIG"):
        return tf.distribute.MultiWorkerMirroredStrategy()
    if devices is None and len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    if devices is not None and len(devices) > 1:
        return tf.distribute.MirroredStrategy(list(devices))
    return tf.distribute.OneDeviceStrategy(devices[0]) if devices else tf.distribute.get_strategy()


def worker(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """This process's index among the workers, and their number."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.cluster_spec().as_dict():
        return 0, 1
    workers = resolver.cluster_spec().num_tasks("worker")
    return resolver.task_id, workers


def set_precision(precision: str) -> None:
    """Sets the Keras dtype policy for layers built from now on.

    Args:
        precision: "float32", "mixed_float16" (the loop scales the loss) or "mixed_bfloat16".

    Raises:
        ValueError: for another name.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}. Received: precision={precision!r}")
    keras.mixed_precision.set_dtype_policy(precision)
