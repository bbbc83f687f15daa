"""Telling how far a run is: a bar on a terminal, plain lines elsewhere."""

import datetime
import sys
import time

from absl import logging
from tqdm import tqdm


class Progress:
    """Counts steps and shows rate and time left.

    Args:
        first: the step the run starts or goes on from.
        total: the last step.
        batch_size: images per step.
        every: steps between plain lines, when standard error is no terminal.
    """

    def __init__(self, first: int, total: int, batch_size: int, every: int):
        self._total = total
        self._batch_size = batch_size
        self._every = every
        self._window = (first, time.monotonic())
        self._terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=total,
            initial=first,
            unit="step",
            disable=not self._terminal,
            dynamic_ncols=True,
            smoothing=0.02,
        )
        self.images_per_second = 0.0

    def update(self, step: int, loss: float) -> None:
        """Notes that `step` is done."""
        self._bar.update()
        if step % self._every and step != self._total:
            return
        first, since = self._window
        now = time.monotonic()
        rate = (step - first) / max(now - since, 1e-9)
        self._window = (step, now)
        self.images_per_second = rate * self._batch_size
        if self._terminal:
            self._bar.set_postfix_str(f"loss {loss:.5g}, {self.images_per_second:.1f} images/s")
        else:
            left = datetime.timedelta(seconds=round((self._total - step) / max(rate, 1e-9)))
            self.say(
                f"step {step}/{self._total}  loss {loss:.5g}  {self.images_per_second:.1f} images/s"
                f"  {left} left"
            )

    def say(self, line: str) -> None:
        """Prints a line without tearing the bar."""
        if self._terminal:
            self._bar.write(line, file=sys.stderr)
        else:
            logging.info(line)

    def pause(self, seconds: float) -> None:
        """Leaves `seconds`, spent on validation or saving, out of the rate."""
        self._window = (self._window[0], self._window[1] + seconds)

    def close(self) -> None:
        self._bar.close()
