"""Devices: how many replicas train, and in which precision."""

import functools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


def make_strategy(devices: Sequence[str] | None = None) -> tf.distribute.Strategy:
    """Chooses how to distribute: several workers if TF_CONFIG is set, else this machine's GPUs.

    Args:
        devices: train on these, for example `["GPU:0", "GPU:1"]`; None for all GPUs, or the CPU.

    Raises:
        ValueError: if this machine has no such device.
    """
    return _strategy(os.environ.get("TF_CONFIG"), None if devices is None else tuple(devices))


# One object for the same devices: TensorFlow numbers the collective operations of every strategy
# from 100, and a second one in the process would be taken for the first.
@functools.cache
def _strategy(cluster: str | None, devices: tuple[str, ...] | None) -> tf.distribute.Strategy:
    if cluster:
        return tf.distribute.MultiWorkerMirroredStrategy()
    present = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
    missing = [device for device in devices or () if device not in present]
    if missing:
        raise ValueError(
            f"This machine has {', '.join(present)}; no {missing[0]}. "
            f"Received: devices={list(devices or ())}"
        )
    if devices is None and len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    if devices is not None and len(devices) > 1:
        return tf.distribute.MirroredStrategy(list(devices))
    return tf.distribute.OneDeviceStrategy(devices[0]) if devices else tf.distribute.get_strategy()


def worker(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """This process's index among the workers, and their number."""
    resolver = strategy.cluster_resolver
    jobs = resolver.cluster_spec().as_dict() if resolver else {}
    if not jobs:
        return 0, 1
    chiefs, workers = len(jobs.get("chief", ())), len(jobs.get("worker", ()))
    # A chief, where there is one, is the first worker; the others count from behind it.
    index = resolver.task_id + (chiefs if resolver.task_type == "worker" else 0)
    return index, chiefs + workers


@contextmanager
def precision_policy(precision: str) -> Iterator[None]:
    """Sets the Keras dtype policy for layers built in the block.

    Args:
        precision: "float32", "mixed_float16" (the loop scales the loss) or "mixed_bfloat16".

    Raises:
        ValueError: for another name.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {PRECISIONS}. Received: precision={precision!r}"
        )
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)
