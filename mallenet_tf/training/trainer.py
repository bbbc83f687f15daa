"""The training loop: steps, validation, checkpoints, clean stops.

Written out instead of `keras.Model.fit` because a run that is stopped after any step must resume
bit for bit: the state holds every variable, and the data of a step are a pure function of its
number.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from absl import logging

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.files import atomic_path
from mallenet_tf.training.checkpoint import finite_state
from mallenet_tf.training.ema import averaged_weights, use_averages
from mallenet_tf.training.options import TrainingOptions
from mallenet_tf.training.progress import TrainingProgress
from mallenet_tf.training.run_folder import RunFolder
from mallenet_tf.training.steps import Dispatched, Steps
from mallenet_tf.training.stopping import StopRequest

if TYPE_CHECKING:
    from mallenet_tf.training.events import EventLog

# From a model to its PSNR per label, and to images, uint8 [H, W, 3] per label.
Score = Callable[[Any], tuple[Mapping[str, float], Mapping[str, np.ndarray]]]


class DivergedError(UserError):
    """The loss is not finite; the run stopped and its last good state is kept."""


@dataclasses.dataclass
class Trainer:
    """Takes the steps of a run, from where it is to its end.

    The loss of a step is read after the next step is dispatched, so that the device never waits for
    Python. A step that diverges is found before anything later is saved: logging, validating,
    saving and stopping read the loss of their own step first.

    Attributes:
        folder: Folder of the run, restored.
        steps: Takes the steps on the Keras backend in use.
        score: Validates the model; the mean of its PSNRs decides which checkpoint is the best.
        options: Length of the run, and how often to log, validate and save.
        step: Steps taken so far.
        events: TensorBoard's log; None for none.
    """

    folder: RunFolder
    steps: Steps
    score: Score
    options: TrainingOptions
    step: int = 0
    events: "EventLog | None" = None

    def run(self) -> keras.Model:
        """Trains to the last step, or until a signal asks to stop.

        Returns:
            The model with the averaged weights.

        Raises:
            DivergedError: If the loss is not finite.
            CheckpointError: If a weight is not finite when it is to be saved.
        """
        if self.step >= self.options.steps:
            logging.info("%s is complete: %d steps.", self.folder.path, self.step)
        else:
            self._progress = TrainingProgress(
                self.step, self.options.steps, self.options.batch_size
            )
            try:
                with StopRequest() as stop:
                    self._train(stop)
            finally:
                self.steps.close()
                self._progress.close()
                if self.events is not None:
                    self.events.flush()
        use_averages(self.steps.model, self.steps.optimizer)
        return self.steps.model

    def _train(self, stop: StopRequest) -> None:
        first = self.step
        unread: Dispatched | None = None
        while self.step < self.options.steps and not self.steps.agree(stop.requested):
            pause = self._next_pause()
            dispatched = self.steps.dispatch(self.step, pause)
            if unread is not None:
                self._loss(unread)
            unread = dispatched
            began = self.step == first
            self.step = dispatched.last
            self._progress.update(self.step)
            if began:
                self._loss(dispatched)  # now gin knows what the steps are configured with
                unread = None
                if self.steps.worker == 0:
                    self.folder.save_record(self.step)
            if self.step == pause:
                self._pause(self._loss(dispatched))
                unread = None
        if unread is not None:
            self._loss(unread)
        if self.step < self.options.steps:
            self._stop(first)

    def _stop(self, first: int) -> None:
        """Saves what a run that began at step `first` and was asked to stop has reached."""
        if self.step > first:
            self._save_state()
            if self.steps.worker == 0:
                self.folder.save_last(self.steps.model, self.steps.optimizer)
        self._progress.say(f"Stopped at step {self.step}; the same command resumes from there.")

    def _next_pause(self) -> int:
        """Returns the next step after which to log, validate or save."""
        options = self.options
        intervals = (options.log_every, options.validate_every, options.save_every)
        return min(options.steps, *(self.step - self.step % every + every for every in intervals))

    def _pause(self, loss: float) -> None:
        """Logs, validates and saves what is due after the current step."""
        started = time.monotonic()
        if self._due(self.options.log_every):
            self._log(loss)
        if self._due(self.options.validate_every):
            self._validate()
        if self._due(self.options.save_every):
            self._save_state()
        self._progress.leave_out(time.monotonic() - started)

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.options.steps

    def _log(self, loss: float) -> None:
        images_per_second = self._progress.report(self.step, loss)
        if self.events is not None:
            rate = keras.ops.convert_to_numpy(self.steps.optimizer.learning_rate)
            scalars = {"loss": loss, "learning_rate": float(rate)}
            self.events.scalars(self.step, scalars | {"images_per_second": images_per_second})

    def _validate(self) -> None:
        """Scores the averaged weights, and saves them."""
        model, optimizer = self.steps.model, self.steps.optimizer
        finite_state(self.step, model, optimizer)
        with averaged_weights(model, optimizer):
            scores, images = self.score(model)
            self._progress.say(
                f"step {self.step}  validation "
                + "  ".join(f"{label} {psnr:.3f} dB" for label, psnr in scores.items())
            )
            if self.events is not None:
                psnrs = {f"validation_psnr/{label}": psnr for label, psnr in scores.items()}
                self.events.scalars(self.step, psnrs)
                self.events.images(self.step, images)
            if self.steps.worker == 0:
                mean = sum(scores.values()) / len(scores)
                self.folder.save_validated(self.step, model, mean)

    def _save_state(self) -> None:
        if self.steps.worker == 0:
            self.folder.save_state(self.step, self.steps.model, self.steps.optimizer)

    def _loss(self, dispatched: Dispatched) -> float:
        """Waits for steps and returns their mean loss.

        Raises:
            DivergedError: If the loss of one is not finite; its batch is saved for inspection.
        """
        losses = dispatched.losses()
        broken = np.flatnonzero(~np.isfinite(losses))
        if not broken.size:
            return float(losses.mean())
        step, loss = dispatched.first + int(broken[0]), float(losses[broken[0]])
        suffix = f"_worker_{self.steps.worker}" if self.steps.workers > 1 else ""
        path = self.folder.path / f"diverged_at_step_{step}{suffix}.npz"
        batch: dict[str, Any] = {**dispatched.batch(step), "step": step, "loss": loss}
        with atomic_path(path) as temporary:
            np.savez(temporary, **batch)
        raise DivergedError(
            f"The loss is {loss} at step {step}. The batch is in {path}; state.npz, last.keras "
            "and best.keras hold the last good step. A lower learning rate or clip_norm may help."
        )
