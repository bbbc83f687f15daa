"""Progress of long work: a bar on a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, TextIO, TypeVar

from tqdm import tqdm

from mallenet_tf.common.text import printable

_log = logging.getLogger(__name__)
_SECONDS_BETWEEN_LINES = 30.0
_T = TypeVar("_T")


class Progress:
    """Shows how many items are done, the rate and the time that is left.

    Call it after each item. Nothing is shown of a single item, which is done or not.

    Args:
        label: Name of the work.
        unit: What one item is called.
        keep: Whether the bar stays, or a last line is logged, when all items are done.

    Example:
        >>> with Progress("photograph.jpg", unit="tile") as shown:
        ...     denoiser(image, on_tile=shown)
    """

    def __init__(self, label: str, unit: str = "file", keep: bool = True):
        self._label, self._unit, self._keep = printable(label), unit, keep
        self._bar: Any = None
        self._start = self._last = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int) -> None:
        """Shows that `done` of `total` items are done."""
        if total == 1:
            return
        if sys.stderr.isatty():
            self._update_bar(done, total)
            return
        now = time.monotonic()
        if now - self._last > _SECONDS_BETWEEN_LINES or (done == total and self._keep):
            self._last = now
            rate = done / max(now - self._start, 1e-9)
            left = (total - done) / max(rate, 1e-9)
            count = f"{done}/{total} {self._unit}s, {rate:.1f} a second"
            _log.info("%s: %s, %.0f s left", self._label, count, left)

    def _update_bar(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = tqdm(
                desc=self._label,
                total=total,
                unit=self._unit,
                leave=self._keep,
                dynamic_ncols=True,
            )
        self._bar.update(done - self._bar.n)


def progress(
    items: Iterable[_T], total: int, label: str, unit: str = "file", keep: bool = True
) -> Iterator[_T]:
    """Yields items and shows how many are done, the rate and the time that is left.

    Args:
        items: The items.
        total: Number of items.
        label: Name of the work.
        unit: What one item is called.
        keep: As of `Progress`.
    """
    with Progress(label, unit, keep) as show:
        if total > 0:
            show(0, total)
        for done, item in enumerate(items, 1):
            yield item
            show(done, total)


def print_line(line: str, stream: TextIO) -> None:
    """Prints a line above the bars."""
    tqdm.write(line, file=stream)
    stream.flush()
