"""Progress of long work: a bar on a terminal, log lines elsewhere."""

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
    """Yields items and shows how many are done, the rate and the time that is left.

    Args:
        items: The items.
        total: Number of items.
        label: Name of the work.
        unit: What one item is called.
    """
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
