"""Measures memory: what is free, what the process takes, and which tile fits."""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Callable
from pathlib import Path

import psutil

from mallenet_tf.common.errors import UserError

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
GROUP = Path("/sys/fs/cgroup")  # where a container's limit is
_PROCESS = psutil.Process()


def parse_memory(text: str) -> int:
    """Parses an amount of memory in bytes: "2GB", "1500M", "1.5g", or a share, "50%".

    A share is one of what is free, added to what the process takes already.

    Raises:
        UserError: If it is none of these.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*(?:([KMGT]?)I?B?|(%))\s*", text.upper())
    if not match or float(match[1]) == 0 or (match[3] and float(match[1]) > 100):
        raise UserError(
            "An amount of memory is 2GB, 1500MB, or a share of what is free, as 50%. "
            f"Received: --max_memory={text}"
        )
    if match[3]:
        return resident() + int(float(match[1]) / 100 * available())
    return int(float(match[1]) * UNITS[match[2]])


def parse_limit(text: str) -> int:
    """Parses `--max_memory`, see `parse_memory`, as a limit that leaves room for work.

    Raises:
        UserError: If it is no amount of memory, or the process takes as much already.
    """
    limit, taken = parse_memory(text), resident()
    if limit <= taken:
        raise UserError(
            f"TensorFlow and the network alone take {taken / 1e6:.0f} MB; allow a few hundred "
            f"more than that. Received: --max_memory={text}"
        )
    return limit


def available() -> int:
    """Returns the bytes that the process may still take, of the system's and of its group's."""
    free = psutil.virtual_memory().available
    try:  # psutil does not know a container's limit
        limit = (GROUP / "memory.max").read_text(encoding="ascii").strip()
        if limit != "max":
            used = int((GROUP / "memory.current").read_text(encoding="ascii"))
            statistics = (GROUP / "memory.stat").read_text(encoding="ascii")
            given_back = re.search(r"^inactive_file (\d+)$", statistics, re.MULTILINE)
            used -= int(given_back[1]) if given_back else 0  # the cache of files
            free = min(free, max(0, int(limit) - used))
    except FileNotFoundError:
        pass  # no such limit on this system
    return free


def resident() -> int:
    """Returns the bytes of this process that are in memory, libraries included."""
    return _PROCESS.memory_info().rss


def _return_freed_memory() -> None:
    """Gives memory that the C library has freed back to the system, where it can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def peak_growth(work: Callable[[], object]) -> int:
    """Runs `work` and returns by how many bytes the process grew at most meanwhile."""
    _return_freed_memory()  # Or the work may fit into what earlier work has freed.
    before = largest = resident()
    done = threading.Event()

    def watch() -> None:
        nonlocal largest
        while not done.wait(0.001):
            largest = max(largest, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(largest, resident()) - before


def largest_tile(
    width: int, bytes_per_tile_pixel: float, bytes_per_band_pixel: float, budget: int, sides: range
) -> int | None:
    """Returns the largest side of a tile that fits.

    Args:
        width: Width of the image. A band of finished rows is as wide, and as high as a tile.
        bytes_per_tile_pixel: What the network takes for each pixel of a tile.
        bytes_per_band_pixel: What each pixel of the band takes.
        budget: Bytes for both.
        sides: Sides to choose from, in ascending order.

    Returns:
        One of `sides`; None if the smallest does not fit.
    """
    fitting = [
        side
        for side in sides
        if side * (min(side, width) * bytes_per_tile_pixel + width * bytes_per_band_pixel) <= budget
    ]
    return fitting[-1] if fitting else None
