"""Optimization steps under TensorFlow, on one device, several, or several workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from mallenet_tf.common.errors import UserError
from mallenet_tf.training.capture import StepCapture
from mallenet_tf.training.checkpoint import CheckpointError
from mallenet_tf.training.distribution import worker
from mallenet_tf.training.losses import Loss
from mallenet_tf.training.options import TrainingOptions
from mallenet_tf.training.step import TrainStep
from mallenet_tf.training.steps import Dispatched


class _Taken(NamedTuple):
    """A step: its loss, a scalar, and its batch; of several replicas, the values of each."""

    loss: tf.Tensor
    noisy: tf.Tensor
    clean: tf.Tensor


class TensorFlowSteps:
    """Steps of a model under TensorFlow; see `steps.Steps`.

    A thread takes the steps in the order of their dispatch. Where TensorFlow computes a step while
    Python waits for the call, as on CPUs, it is this thread that waits. Several workers wait for
    each other before each step.

    Args:
        strategy: Strategy that distributes the batches; see `make_strategy`.
        model: Model built inside the strategy's scope.
        optimizer: Optimizer built there.
        loss: Function of clean and denoised images, one value per image, or `AnnealedGroups`.
        options: Options of the run.
        folder: Folder of the run, which gets the trace of `options.profile_steps`.

    Raises:
        UserError: If the batch does not divide evenly over the replicas and pieces, or the loss
            does not fit the network.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        model: keras.Model,
        optimizer: keras.Optimizer,
        loss: Loss,
        options: TrainingOptions,
        folder: Path,
    ):
        self.model = model
        self.optimizer = optimizer
        self.replicas = strategy.num_replicas_in_sync
        self.worker, self.workers = worker(strategy)
        if options.batch_size % (self.replicas * options.accumulate):
            raise UserError(
                "The batch must divide evenly over the replicas and the accumulated pieces. "
                f"Received: batch_size={options.batch_size}, replicas={self.replicas}, "
                f"accumulate={options.accumulate}"
            )
        self._strategy = strategy
        self._step = TrainStep(
            strategy,
            model,
            optimizer,
            loss,
            options.batch_size,
            options.clip_norm,
            options.accumulate,
        )
        self._capture = StepCapture(folder, options.profile_steps if self.worker == 0 else None)
        self._thread = ThreadPoolExecutor(1, "training steps")

    @property
    def shard(self) -> dict[str, int]:
        """What this worker reads of the data, as arguments of `data.training_dataset`."""
        return {
            "shard_index": self.worker,
            "shard_count": self.workers,
            "splits": self.replicas // self.workers,
        }

    def check_same_state(self, step: int) -> None:
        """Compares the step that this worker resumes from with that of the others.

        Raises:
            CheckpointError: If the workers found different states.
        """
        if self.workers > 1 and self._sum(step) != step * self.replicas:
            raise CheckpointError(
                "The workers found different states; all of them need the same --model_dir. "
                f"Received: step={step} on worker {self.worker}"
            )

    def open(self, dataset: tf.data.Dataset) -> None:
        """Takes the batches of this worker from a data set."""
        self._batches = iter(self._strategy.distribute_datasets_from_function(lambda _: dataset))

    def dispatch(self, step: int, until: int) -> Dispatched:
        """Starts one step and does not wait for it."""
        number = step + 1
        taken = self._thread.submit(self._take, number)

        def losses() -> np.ndarray:
            return np.asarray(taken.result().loss).reshape(1)

        def batch(_: int) -> dict[str, np.ndarray]:
            return {
                "noisy": self._local(taken.result().noisy),
                "clean": self._local(taken.result().clean),
            }

        return Dispatched(number, number, losses, batch)

    def _take(self, number: int) -> _Taken:
        with self._capture.step(number):
            noisy, clean = next(self._batches)
            return _Taken(self._step(noisy, clean), noisy, clean)

    def agree(self, requested: bool) -> bool:
        """Returns whether any worker is asked to stop."""
        return requested if self.workers == 1 else self._sum(int(requested)) > 0

    def close(self) -> None:
        """Ends the thread, and writes a trace that was not finished."""
        self._thread.shutdown(cancel_futures=True)
        self._capture.close()

    def _local(self, values: tf.Tensor) -> np.ndarray:
        """Returns what this worker's replicas hold."""
        return np.concatenate(
            [np.asarray(each) for each in self._strategy.experimental_local_results(values)]
        )

    def _sum(self, number: int) -> int:
        """Adds up a number over all replicas of all workers, after the steps dispatched before."""

        def add() -> int:
            numbers = self._strategy.run(lambda: tf.constant(number, tf.int64))
            return int(self._strategy.reduce(tf.distribute.ReduceOp.SUM, numbers, axis=None))

        return self._thread.submit(add).result()
