"""Records traces with TensorFlow's profiler and reads them with xprof."""

import dataclasses
import json
import platform
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import tensorflow as tf

from mallenet_tf.common.errors import UserError, optional_module


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation of a graph.

    Attributes:
        name: Name in the graph, with the layers around it: "model/layer/.../BiasAdd".
        kind: Type, for example "Conv2D".
        milliseconds: Its own time per step, summed over threads.
    """

    name: str
    kind: str
    milliseconds: float


@dataclasses.dataclass(frozen=True)
class Trace:
    """The contents of a trace.

    Attributes:
        steps: Time of each step in ms.
        operations: Operations of the GPU if there is one, else of the CPU; slowest first.
        peak_bytes: Peak of what TensorFlow's allocator held, weights and inputs included; None
            where it keeps no record, as on processors for which it leaves oneDNN off.
    """

    steps: Sequence[float]
    operations: Sequence[Operation]
    peak_bytes: int | None


def capture(step: Callable[[], Any], count: int, logdir: Path) -> Path:
    """Traces `count` calls of `step` into a folder that TensorBoard's Profile tab shows.

    Returns:
        Path of the trace file.
    """
    with tf.profiler.experimental.Profile(str(logdir)):
        for number in range(count):
            with tf.profiler.experimental.Trace("inference", step_num=number, _r=1):
                step()
    return max(logdir.glob("plugins/profile/*/*.xplane.pb"), key=lambda path: path.stat().st_mtime)


def read_trace(path: Path) -> Trace:
    """Reads a trace file.

    Raises:
        UserError: If xprof, which converts it, is not installed.
    """
    steps = [
        row["stepTimeMs"] for row in _rows(_convert(path, "input_pipeline_analyzer"), "stepTimeMs")
    ]
    found = list(_rows(_convert(path, "framework_op_stats"), "total_self_time"))
    # The first of two tables has an extra row for the time in which nothing ran.
    rows = {row["operation"]: row for row in found if row["type"] != "IDLE"}.values()
    on_device = [row for row in rows if row["host_or_device"] == "Device"]
    operations = [
        Operation(row["operation"], row["type"], row["total_self_time"] / 1000 / len(steps))
        for row in on_device or rows
    ]
    operations.sort(key=lambda operation: -operation.milliseconds)
    return Trace(steps, operations, _peak_bytes(_convert(path, "memory_profile")))


def _convert(path: Path, tool: str) -> Any:
    data, _ = xprof().xspace_to_tool_data([str(path)], tool, {})
    return json.loads(data)


def xprof() -> ModuleType:
    """Imports xprof's converter.

    Raises:
        UserError: If it is not installed, or Python is too old for it.
    """
    if sys.version_info < (3, 11):
        raise UserError(
            "Traces are read by xprof, which needs Python 3.11 or later. "
            f"Received: Python {platform.python_version()}"
        )
    return optional_module("xprof.convert.raw_to_tool_data", "xprof", "profile")


def _rows(tables: Iterable[dict], column: str) -> Iterable[dict[str, Any]]:
    """Yields the rows of the tables that have this column, as dictionaries by column."""
    for table in tables:
        names = [found["id"] for found in table.get("cols", [])]
        if column in names:
            for row in table["rows"]:
                yield {name: cell["v"] for name, cell in zip(names, row["c"], strict=True)}


def _peak_bytes(profile: dict) -> int | None:
    """Returns the peak of the GPUs' allocators if there are any, else of the CPU's."""
    peaks = {
        name: int(allocator["profileSummary"]["peakStats"]["peakBytesInUse"])
        for name, allocator in profile["memoryProfilePerAllocator"].items()
    }
    gpu = {name: peak for name, peak in peaks.items() if name.startswith("GPU")}
    return max((gpu or peaks).values(), default=0) or None


def by_layer(operations: Iterable[Operation], layers: Iterable[str]) -> dict[str, float]:
    """Sums the milliseconds of operations by layer, slowest first.

    Args:
        operations: Operations named "model/layer/...". Keras numbers a name that it uses again:
            "layer_1".
        layers: Names of the model's layers; operations outside them are "(other)".
    """
    names = set(layers)

    def layer_of(operation: Operation) -> str:
        for scope in operation.name.split("/"):
            for name in (scope, re.sub(r"_\d+$", "", scope)):
                if name in names:
                    return name
        return "(other)"

    return _totals(operations, layer_of)


def by_kind(operations: Iterable[Operation]) -> dict[str, float]:
    """Sums the milliseconds of operations by type, slowest first."""
    return _totals(operations, lambda operation: operation.kind)


def _totals(operations: Iterable[Operation], group: Callable[[Operation], str]) -> dict[str, float]:
    totals: dict[str, float] = defaultdict(float)
    for operation in operations:
        totals[group(operation)] += operation.milliseconds
    return dict(sorted(totals.items(), key=lambda item: -item[1]))
