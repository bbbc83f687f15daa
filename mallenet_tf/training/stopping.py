"""Ending a run cleanly when the user or the scheduler asks for it."""

import signal
import threading
from types import FrameType
from typing import Any


class StopRequest:
    """While entered, notes SIGTERM and SIGINT; a second signal acts as it did before.

    Outside the main thread, where Python delivers no signals, it notes nothing.

    Example:
        >>> with StopRequest() as stop:
        ...     while not stop.requested:
        ...         take_a_step()
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._note) or signal.SIG_DFL
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        while self._previous:
            signal.signal(*self._previous.popitem())
