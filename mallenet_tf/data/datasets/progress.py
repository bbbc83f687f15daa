"""Telling how far a preparation is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

_log = logging.getLogger(__name__)
_SECONDS_BETWEEN_LINES = 30.0
_T = TypeVar("_T")


def progress(items: Iterable[_T], total: int, label: str, unit: str = "file") -> Iterator[_T]:
    """Passes items on and shows how many, at which rate and for how long still."""
    if sys.stderr.isatty():
        yield from tqdm(items, label, total, unit=unit, dynamic_ncols=True)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if done == total or now - last > _SECONDS_BETWEEN_LINES:
            last = now
            rate = done / max(now - start, 1e-9)
            left = (total - done) / rate
            count = f"{done}/{total} {unit}s, {rate:.1f} a second"
            _log.info("%s: %s, %.0f s left", label, count, left)
