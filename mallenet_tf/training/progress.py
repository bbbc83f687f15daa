"""How far a run is: a bar on a terminal, plain lines elsewhere."""

import datetime
import sys
import time

from absl import logging
from tqdm import tqdm


class TrainingProgress:
    """Counts steps and shows the rate and the time left.

    Args:
        first: Step that the run starts or resumes from.
        total: Last step.
        batch_size: Images per step.
    """

    def __init__(self, first: int, total: int, batch_size: int):
        self._total = total
        self._batch_size = batch_size
        self._reported = (first, time.monotonic())
        self._terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=total,
            initial=first,
            unit="step",
            disable=not self._terminal,
            dynamic_ncols=True,
            smoothing=0.02,
        )

    def update(self, step: int) -> None:
        """Moves the bar to `step`."""
        self._bar.update(step - self._bar.n)

    def report(self, step: int, loss: float) -> float:
        """Shows the loss and the rate since the last report; returns images per second."""
        first, since = self._reported
        now = time.monotonic()
        rate = (step - first) / max(now - since, 1e-9)
        self._reported = (step, now)
        images_per_second = rate * self._batch_size
        if self._terminal:
            self._bar.set_postfix_str(f"loss {loss:.5g}, {images_per_second:.1f} images/s")
        else:
            left = datetime.timedelta(seconds=round((self._total - step) / max(rate, 1e-9)))
            self.say(
                f"step {step}/{self._total}  loss {loss:.5g}  {images_per_second:.1f} images/s"
                f"  {left} left"
            )
        return images_per_second

    def say(self, line: str) -> None:
        """Prints a line without tearing the bar."""
        if self._terminal:
            self._bar.write(line, file=sys.stderr)
        else:
            logging.info(line)

    def leave_out(self, seconds: float) -> None:
        """Leaves `seconds`, spent on validating or saving, out of the rate."""
        self._reported = (self._reported[0], self._reported[1] + seconds)

    def close(self) -> None:
        """Ends the bar."""
        self._bar.close()
