"""Devices: where replicas train, and on how many machines."""

import functools
import os
from collections.abc import Sequence

import tensorflow as tf


def make_strategy(devices: Sequence[str] | None = None) -> tf.distribute.Strategy:
    """Returns a strategy for several workers if TF_CONFIG is set, else for this machine's GPUs.

    Args:
        devices: Devices to train on, for example `["GPU:0", "GPU:1"]`; None for all GPUs, or the
            CPU.

    Raises:
        ValueError: If this machine has no such device.
    """
    return _strategy(os.environ.get("TF_CONFIG"), None if devices is None else tuple(devices))


# One object for the same devices: TensorFlow numbers the collective operations of every strategy
# from 100, so that a second strategy in the process would be mistaken for the first.
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
    """Returns the index of this process among the workers, and their number."""
    resolver = strategy.cluster_resolver
    jobs = resolver.cluster_spec().as_dict() if resolver else {}
    if not jobs:
        return 0, 1
    chiefs, workers = len(jobs.get("chief", ())), len(jobs.get("worker", ()))
    # A chief, where there is one, is the first worker; the others are counted after it.
    index = resolver.task_id + (chiefs if resolver.task_type == "worker" else 0)
    return index, chiefs + workers
