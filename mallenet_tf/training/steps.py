"""Taking optimization steps: what the trainer asks of a Keras backend, and TensorFlow's answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class Dispatched:
    """Steps that were started and may still be running.

    Attributes:
        first: Number of the first of these steps, counted from 1.
        last: Number of the last one.
        losses: Waits for the steps and returns the mean loss of each.
        batch: Returns the "noisy" and "clean" images of one of the steps, for inspection.
    """

    first: int
    last: int
    losses: Callable[[], np.ndarray]
    batch: Callable[[int], Mapping[str, np.ndarray]]


class Steps(Protocol):
    """A model in training on one Keras backend.

    Attributes:
        model: Model in training.
        optimizer: Its optimizer, built.
        replicas: Devices that train.
        worker: Index of this process among the workers; worker 0 writes the files.
        workers: Number of workers.
    """

    model: keras.Model
    optimizer: keras.Optimizer
    replicas: int
    worker: int
    workers: int

    def dispatch(self, step: int, until: int) -> Dispatched:
        """Starts steps `step + 1` and later ones, at most to `until`, and does not wait."""

    def agree(self, requested: bool) -> bool:
        """Returns whether any worker is asked to stop; all must stop at the same step."""

    def close(self) -> None:
        """Releases what the steps hold: threads, an open trace."""
