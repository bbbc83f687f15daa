"""The training loop: steps, validation, checkpoints, clean stops and exact continuation.

Written out instead of `keras.Model.fit` because a stop at any step must go on bit for bit: the
state holds every variable, and `make_dataset(step)` starts the data where the state ended.
"""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.files import atomic_path
from mallenet_tf.training.capture import StepCapture
from mallenet_tf.training.checkpoint import (
    CheckpointError,
    finite_state,
    restore_state,
    save_state,
)
from mallenet_tf.training.distribution import worker
from mallenet_tf.training.ema import averaged_weights
from mallenet_tf.training.options import TrainingOptions
from mallenet_tf.training.progress import Progress
from mallenet_tf.training.run_folder import RunRecord, save_model
from mallenet_tf.training.step import Loss, TrainStep
from mallenet_tf.training.stopping import StopRequest

# Validation: a model to its PSNR per label, and pictures uint8 [H, W, 3] per label.
Score = Callable[[keras.Model], tuple[Mapping[str, float], Mapping[str, np.ndarray]]]
# The data of one worker: (model, start_step=, shard_index=, shard_count=, splits=).
MakeDataset = Callable[..., tf.data.Dataset]


class DivergedError(UserError):
    """The loss is not finite; the run stopped and its last good state is kept."""


def train(
    model_dir: Path,
    build_model: Callable[[], keras.Model],
    build_optimizer: Callable[[], keras.Optimizer],
    loss: Loss,
    make_dataset: MakeDataset,
    make_scorer: Callable[[keras.Model], Score],
    options: TrainingOptions,
    strategy: tf.distribute.Strategy,
    configuration: Callable[[], str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> keras.Model:
    """Trains, or goes on with, the run in `model_dir`.

    Args:
        model_dir: the run's folder; see `run_folder`.
        build_model: makes the network; called inside the strategy's scope.
        build_optimizer: makes the optimiser, likewise; wrapped for loss scaling in mixed_float16.
        loss: of clean and denoised images, one value per image, or `AnnealedGroups`.
        make_dataset: called with the model, start_step, shard_index, shard_count and splits.
        make_scorer: called with the model; makes the validation, whose mean PSNR decides which
            checkpoint is the best.
        options: see `TrainingOptions`.
        strategy: see `make_strategy`.
        configuration: what to write into the folder's config.gin; asked after the first step.
        settings: what else decides about the weights, see `flat_settings`; a run goes on with the
            same alone.

    Returns:
        The model with the averaged weights.

    Raises:
        DivergedError: if the loss is not finite.
        UserError: if the run began with other settings.
        CheckpointError: if the folder holds another model's state, the workers see different
            folders, or a weight is not finite when it is to be saved.
    """
    with StopRequest() as stop:
        with strategy.scope():
            model = build_model()
            optimizer = build_optimizer()
            if keras.mixed_precision.dtype_policy().name == "mixed_float16":
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale")
            optimizer.build(model.trainable_variables)
        run = _Run(
            model_dir,
            model,
            optimizer,
            loss,
            make_scorer,
            options,
            strategy,
            configuration,
            settings,
        )
        run.train(make_dataset, stop)
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if inner.use_ema and run.step:
        inner.finalize_variable_values(model.trainable_variables)
    return model


class _Run:
    def __init__(
        self,
        model_dir,
        model,
        optimizer,
        loss,
        make_scorer,
        options,
        strategy,
        configuration,
        settings,
    ):
        self.folder = Path(model_dir)
        self.model = model
        self.optimizer = optimizer
        self.score = make_scorer(model)
        self.options = options
        self.strategy = strategy
        self.index, self.workers = worker(strategy)
        self.is_chief = self.index == 0
        parts = strategy.num_replicas_in_sync * options.accumulate
        if options.batch_size % parts:
            raise UserError(
                "The batch must divide evenly over replicas and accumulated parts. Received: "
                f"batch_size={options.batch_size}, replicas={strategy.num_replicas_in_sync}, "
                f"accumulate={options.accumulate}"
            )
        self.train_step = TrainStep(
            strategy,
            model,
            optimizer,
            loss,
            options.batch_size,
            options.clip_norm,
            options.accumulate,
        )
        state = self.folder / "state.npz"
        self.step = restore_state(state, model, optimizer) if state.exists() else 0
        if self.step:
            logging.info("Going on with %s from step %d.", self.folder, self.step)
        if self.workers > 1 and self._sum(self.step) != self.step * strategy.num_replicas_in_sync:
            raise CheckpointError(
                f"The workers found different states, this one step {self.step}; all of them need "
                f"the same folder. Received: model_dir={self.folder}"
            )
        self.first_step = self.step
        replicas = strategy.num_replicas_in_sync
        self.record = RunRecord(self.folder, self.step, replicas, configuration, settings)
        self.writer = (
            tf.summary.create_file_writer(str(self.folder))
            if self.is_chief
            else tf.summary.create_noop_writer()
        )

    def train(self, make_dataset: MakeDataset, stop: StopRequest) -> None:
        options = self.options
        if self.step >= options.steps:
            logging.info("%s is complete: %d steps.", self.folder, self.step)
            return
        splits = self.strategy.num_replicas_in_sync // self.workers
        dataset = make_dataset(
            self.model,
            start_step=self.step,
            shard_index=self.index,
            shard_count=self.workers,
            splits=splits,
        )
        batches = iter(self.strategy.distribute_datasets_from_function(lambda _: dataset))
        progress = Progress(self.step, options.steps, options.batch_size, options.log_every)
        capture = StepCapture(self.folder, options.profile_steps if self.is_chief else None)
        try:
            while self.step < options.steps and not self._agree(stop.requested):
                with capture.step(self.step + 1):
                    noisy, clean = next(batches)
                    loss = float(self.train_step(noisy, clean))
                if not math.isfinite(loss):
                    self._diverge(loss, noisy, clean)
                self.step += 1
                progress.update(self.step, loss)
                if self.step == self.first_step + 1 and self.is_chief:
                    self.record.save(self.step)
                self._look(progress, loss)
            if self.step < options.steps:
                if self.step > self.first_step:
                    self._save_everything()
                progress.say(f"Stopped at step {self.step}; the same command goes on from there.")
        finally:
            capture.close()
            progress.close()
            self.writer.flush()

    def _agree(self, requested: bool) -> bool:
        """Whether any worker was asked to stop; all of them must stop at the same step."""
        return requested if self.workers == 1 else self._sum(int(requested)) > 0

    def _sum(self, number: int) -> int:
        """Adds up a number over all replicas of all workers."""
        numbers = self.strategy.run(lambda: tf.constant(number, tf.int64))
        return int(self.strategy.reduce(tf.distribute.ReduceOp.SUM, numbers, axis=None))

    def _look(self, progress: Progress, loss: float) -> None:
        """Logs, validates and saves when it is time to."""
        options, step = self.options, self.step
        started = time.monotonic()
        last = step == options.steps
        if step % options.log_every == 0 or last:
            with self.writer.as_default(step=step):
                tf.summary.scalar("loss", loss)
                rate = keras.ops.convert_to_numpy(self.optimizer.learning_rate)
                tf.summary.scalar("learning_rate", float(rate))
                tf.summary.scalar("images_per_second", progress.images_per_second)
        if step % options.validate_every == 0 or last:
            self._validate(progress)
        if step % options.save_every == 0 or last:
            self._save_state()
        progress.pause(time.monotonic() - started)

    def _validate(self, progress: Progress) -> None:
        finite_state(self.step, self.model, self.optimizer)
        with averaged_weights(self.model, self.optimizer):
            scores, pictures = self.score(self.model)
            mean = sum(scores.values()) / len(scores)
            progress.say(
                f"step {self.step}  validation "
                + "  ".join(f"{label} {psnr:.3f} dB" for label, psnr in scores.items())
            )
            with self.writer.as_default(step=self.step):
                for label, psnr in scores.items():
                    tf.summary.scalar(f"validation_psnr/{label}", psnr)
                for label, picture in pictures.items():
                    tf.summary.image(label, picture[None])
            if not self.is_chief:
                return
            save_model(self.folder / "last.keras", self.model)
            if self.record.best is None or mean > self.record.best:
                self.record.best = mean
                save_model(self.folder / "best.keras", self.model)
                self.record.save(self.step)

    def _save_state(self) -> None:
        if self.is_chief:
            save_state(self.folder / "state.npz", self.step, self.model, self.optimizer)
            self.record.save(self.step)

    def _save_everything(self) -> None:
        self._save_state()
        with averaged_weights(self.model, self.optimizer):
            if self.is_chief:
                save_model(self.folder / "last.keras", self.model)

    def _diverge(self, loss: float, noisy, clean) -> None:
        """Keeps the batch for inspection and ends the run."""
        step = self.step + 1
        part = f"_worker_{self.index}" if self.workers > 1 else ""
        path = self.folder / f"diverged_at_step_{step}{part}.npz"
        record: dict[str, Any] = {
            name: np.concatenate([np.asarray(part) for part in self._local(values)])
            for name, values in (("noisy", noisy), ("clean", clean))
        }
        with atomic_path(path) as temporary:
            np.savez(temporary, **record | {"step": step, "loss": loss})
        raise DivergedError(
            f"The loss is {loss} at step {step}. The batch is in {path}; state.npz, last.keras "
            "and best.keras hold the last good step. A lower learning rate or clip_norm may help."
        )

    def _local(self, values) -> tuple:
        return self.strategy.experimental_local_results(values)
