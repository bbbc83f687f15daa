"""Tracing some steps of a run, for TensorBoard's Profile tab."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf


class StepCapture:
    """Starts TensorFlow's profiler before the first of some steps and stops it after the last.

    A run that stops in between keeps the trace of the steps it made; when it resumes, it traces the
    others.

    Args:
        folder: Folder of the run; the trace goes to `plugins/profile` in it.
        steps: First and last step, counted from 1; None for none.
    """

    def __init__(self, folder: Path, steps: tuple[int, int] | None):
        self._folder = folder
        self._first, self._last = steps or (0, -1)
        self._running = False

    @contextmanager
    def step(self, number: int) -> Iterator[None]:
        """Wraps the dispatch of step `number`."""
        if not self._first <= number <= self._last:
            yield
            return
        if not self._running:
            tf.profiler.experimental.start(str(self._folder))
            self._running = True
        with tf.profiler.experimental.Trace("train", step_num=number, _r=1):
            yield
        if number == self._last:
            self.close()

    def close(self) -> None:
        """Writes the trace, if there is one that is not written yet."""
        if self._running:
            self._running = False
            tf.test.experimental.sync_devices()  # what was dispatched belongs to the trace
            tf.profiler.experimental.stop()
