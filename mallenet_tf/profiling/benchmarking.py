"""Tools of the benchmarks in tools/benchmarks: fair timing, peak memory, the machine's description.

Timing. The candidates take turns, so that a change of the machine's speed, or other work on it,
affects all of them alike. One turn is a burst of calls, so that all calls but the first find the
caches in the state that the candidate itself leaves behind.

Memory. The C library returns large blocks to the system at once, and the next call pays for fresh
pages, which costs more than a plain loop over them. `keep_freed_memory` makes it keep them while
times are measured, as TensorFlow's memory pool does. `return_freed_memory` undoes that while memory
is measured, so that the resident size shows every block of 64 KB. The pool would hide such blocks
and has to be off, see `WITHOUT_POOL`.
"""

from __future__ import annotations

import csv
import ctypes
import datetime
import gc
import os
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mallenet_tf.common.files import atomic_path

Call = Callable[[], Any]

BURST_SECONDS = 0.02
SLOW_SECONDS = 2.0
MIN_ROUNDS = 3

# Environment variables to set before TensorFlow is imported. Its memory pool comes with oneDNN,
# which affects convolutions and matrix products only.
WITHOUT_POOL = {"TF_ENABLE_ONEDNN_OPTS": "0"}

# Parameters of glibc's mallopt.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True)
class Timing:
    """Times of repeated calls.

    Attributes:
        best: Shortest time in seconds.
        median: Median time in seconds.
        calls: Number of calls.
    """

    best: float
    median: float
    calls: int

    def per_repeat(self, repeats: int) -> Timing:
        """Returns the timing of one of the `repeats` that a call consists of."""
        return Timing(self.best / repeats, self.median / repeats, self.calls)


def take_turns(
    calls: Mapping[str, Call],
    anchors: Sequence[str],
    seconds: float,
    slow_seconds: float = SLOW_SECONDS,
) -> dict[str, Timing]:
    """Times calls in alternating bursts.

    Args:
        calls: Functions by name, each called before to warm up.
        anchors: Names of the calls that the others are compared with; they get a burst after each
            burst of another.
        seconds: Duration; `MIN_ROUNDS` rounds are run at least.
        slow_seconds: A call that takes longer runs in the first round only, unless it is an anchor.

    Returns:
        A `Timing` for each name.
    """
    samples: dict[str, list[float]] = {name: [] for name in calls}
    others = [name for name in calls if name not in anchors]
    start = time.perf_counter()
    rounds = 0
    gc.collect()
    gc.disable()
    try:
        while rounds < MIN_ROUNDS or time.perf_counter() - start < seconds:
            for name in others or anchors[:1]:
                slow = samples[name] and min(samples[name]) > slow_seconds
                if name not in anchors and not slow:
                    samples[name] += _burst(calls[name])
                for anchor in anchors:
                    samples[anchor] += _burst(calls[anchor])
            rounds += 1
    finally:
        gc.enable()
    return {
        name: Timing(min(times), statistics.median(times), len(times))
        for name, times in samples.items()
    }


def _burst(call: Call) -> list[float]:
    """Times calls for `BURST_SECONDS`, at least one."""
    times: list[float] = []
    while not times or sum(times) < BURST_SECONDS:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def use_one_arena() -> None:
    """Makes all threads allocate from one heap; call it before other threads start."""
    _mallopt(_ARENA_MAX, 1)


def keep_freed_memory() -> None:
    """Makes the C library keep freed blocks of any size for the next allocation."""
    _mallopt(_MMAP_MAX, 0)
    _mallopt(_TRIM_THRESHOLD, -1)


def return_freed_memory() -> None:
    """Returns free memory to the system: all of it now, later each block of 64 KB when freed."""
    _mallopt(_MMAP_MAX, 1 << 16)
    _mallopt(_MMAP_THRESHOLD, 64 << 10)
    _mallopt(_TRIM_THRESHOLD, 64 << 10)
    _LIBC.malloc_trim(0)


def _mallopt(parameter: int, value: int) -> None:
    if _LIBC.mallopt(parameter, value) != 1:
        raise OSError(f"mallopt failed. Received: parameter={parameter}, value={value}")


def peak_memory(call: Call, attempts: int = 3) -> int:
    """Measures the peak growth of the process's memory during a call.

    It is exact to about 128 KB per processor, like the kernel's counters, and only without
    TensorFlow's memory pool (`WITHOUT_POOL`).

    Args:
        call: The function; its result counts too.
        attempts: Number of calls; the smallest growth counts, because the first calls also load
            and cache things.

    Returns:
        Bytes.
    """
    return min(_peak_memory_once(call) for _ in range(attempts))


def _peak_memory_once(call: Call) -> int:
    gc.collect()
    return_freed_memory()
    # Writing 5 resets the peak, VmHWM, to the current size (proc_pid_clear_refs(5)).
    Path("/proc/self/clear_refs").write_text("5")
    before = _kilobytes("/proc/self/status", "VmRSS")
    results = call()
    peak = _kilobytes("/proc/self/status", "VmHWM")
    del results
    keep_freed_memory()  # timing is slow without it
    return max(0, peak - before) * 1024


def _kilobytes(file: str, name: str) -> int:
    match = re.search(rf"^{name}:\s+(\d+) kB", Path(file).read_text(), re.MULTILINE)
    if match is None:
        raise OSError(f"{file} has no line {name}")
    return int(match[1])


def last_level_cache() -> int | None:
    """Returns the bytes of the first processor's largest cache; None where it is unknown."""
    sizes = []
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        text = file.read_text().strip()  # such as 32768K
        sizes.append(int(text.rstrip("KM")) << {"K": 10, "M": 20}.get(text[-1], 0))
    return max(sizes, default=None)


def describe_machine() -> dict[str, str]:
    """Returns date, hardware and TensorFlow version, for a table's heading and its CSV file."""
    import tensorflow as tf

    from mallenet_tf.profiling.hardware import describe_hardware

    return {
        "date": datetime.date.today().isoformat(),
        "hardware": describe_hardware(),
        "tensorflow": tf.__version__,
    }


def headline(machine: Mapping[str, str]) -> str:
    """Formats `describe_machine` in one line; a second one warns if the machine is busy."""
    load = os.getloadavg()[0]
    line = f"{machine['date']}, {machine['hardware']}, TensorFlow {machine['tensorflow']}, float32"
    if load > 0.5:
        line += f"\nnote: the machine is not idle (load average {load:.1f}); times will vary"
    return line


def write_csv(path: Path, rows: Sequence[Mapping[str, object]], machine: Mapping[str, str]) -> None:
    """Writes rows with the same keys; each gets the columns of `describe_machine` too."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*machine, *rows[0]])
        writer.writeheader()
        writer.writerows({**machine, **row} for row in rows)


def fastest_copy(source: np.ndarray) -> tuple[str, Call]:
    """Finds the fastest way to copy an array into allocated memory.

    Args:
        source: Array to copy, by one thread and by as many as there are processors.

    Returns:
        Description of the fastest copy, and the function that runs it.
    """
    from concurrent.futures import ThreadPoolExecutor

    threads = len(os.sched_getaffinity(0))
    flat = source.reshape(-1)
    target = np.zeros_like(flat)
    bounds = np.linspace(0, flat.size, threads + 1).astype(int)
    parts = [slice(*pair) for pair in zip(bounds[:-1], bounds[1:], strict=True)]
    pool = ThreadPoolExecutor(threads)

    def in_parts() -> None:
        list(pool.map(lambda part: np.copyto(target[part], flat[part]), parts))

    candidates: dict[str, Call] = {"numpy.copyto": lambda: np.copyto(target, flat)}
    if threads > 1:
        candidates[f"numpy.copyto in {threads} threads"] = in_parts
    for call in candidates.values():
        call()
    timings = take_turns(candidates, [], 0.2)
    name = min(candidates, key=lambda candidate: timings[candidate].median)
    return name, candidates[name]
