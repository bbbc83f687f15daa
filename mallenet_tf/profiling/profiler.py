"""Profiles networks and reports their cost: what `python -m mallenet_tf.profile` does."""

import ast
import csv
import itertools
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mallenet_tf.common.errors import UserError, user_input, user_output
from mallenet_tf.common.files import atomic_path
from mallenet_tf.models import MODELS, DenoisingModel, build_model, load_model
from mallenet_tf.models.folding import fold_normalization
from mallenet_tf.profiling import count_multiply_adds, count_parameters
from mallenet_tf.profiling.hardware import describe_hardware
from mallenet_tf.profiling.latency import Latency, measure
from mallenet_tf.profiling.published import TABLES
from mallenet_tf.profiling.report import (
    Profile,
    draw_plot,
    format_breakdown,
    format_published,
    format_table,
    matplotlib_figure,
    write_csv,
)
from mallenet_tf.profiling.trace import by_kind, by_layer, xprof
from mallenet_tf.training import precision_policy

IMPLEMENTATIONS = ("native", "reference")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")

Way = tuple[str, str]  # implementation and precision


def parse_size(text: str) -> tuple[int, int]:
    """Parses `--sizes`: "1920x1080" to height and width.

    Raises:
        UserError: If it does not have that form.
    """
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not match:
        raise UserError(f"A size is WIDTHxHEIGHT, like 256x256. Received: --sizes={text}")
    return int(match[2]), int(match[1])


def parse_psnrs(texts: Sequence[str], models: Sequence[str]) -> dict[str, float]:
    """Parses `--psnr`: "mallenet_s=31.02" to a PSNR by model.

    Raises:
        UserError: If one does not have that form, or names a model that is not profiled.
    """
    psnrs = {}
    for text in texts:
        model, _, number = text.rpartition("=")
        if model not in models or not re.fullmatch(r"\d+(\.\d+)?", number):
            raise UserError(
                "A PSNR is MODEL=DECIBELS, for one of --models, like mallenet_s=31.02. "
                f"Received: --psnr={text}"
            )
        psnrs[model] = float(number)
    return psnrs


def parse_options(texts: Sequence[str]) -> dict[str, Any]:
    """Parses `--option`: "depth=3" to an option by name; what is no Python literal is text.

    Raises:
        UserError: If one does not have that form.
    """
    options = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name.isidentifier() and equals and value):
            raise UserError(f"An option is NAME=VALUE, like depth=3. Received: --option={text}")
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name] = value
    return options


def run(
    models: Sequence[str],
    sizes: Sequence[tuple[int, int]] = ((256, 256),),
    implementations: Sequence[str] = ("native", "reference"),
    precisions: Sequence[str] = ("float32", "mixed_bfloat16"),
    output: Path | None = None,
    logdir: Path | None = None,
    psnrs: Mapping[str, float] | None = None,
    max_batch: int | None = None,
    steps: int = 5,
    options: Mapping[str, Any] | None = None,
) -> list[Profile]:
    """Profiles models at sizes, with implementations and precisions; prints tables, writes files.

    Args:
        models: Names of networks, or weights as `models.load_model` takes them.
        sizes: Heights and widths in pixels, multiples of what the networks need.
        implementations: Some of `IMPLEMENTATIONS`.
        precisions: Some of `PRECISIONS`.
        output: Folder for profile.csv, operations.csv and latency_psnr.png; None for none.
        logdir: Folder for the traces; None for `output`/logs, or for none if there is no output.
        psnrs: PSNR in dB by model, for the plot.
        max_batch: See `profiling.latency.measure`.
        steps: See `profiling.latency.measure`.
        options: Arguments of `build_model` for networks by name; a name with options stands beside
            no row of a paper's table.

    Returns:
        A profile for each combination, in the order of the arguments.

    Raises:
        UserError: If a model, size, implementation or precision cannot work, before the first is
            measured; or if the output cannot be written.
    """
    if psnrs and not output:
        raise UserError("The plot goes into a folder; give --output. Received: --psnr without it")
    _check_choice("implementations", implementations, IMPLEMENTATIONS)
    _check_choice("precisions", precisions, PRECISIONS)
    xprof()  # reports a missing package before anything is measured
    if psnrs:
        matplotlib_figure()
    with user_input():
        sources = [
            build_model(name, **(options or {})) if name in MODELS else load_model(name)
            for name in models
        ]
    models = [_with_options(name, options) for name in models]
    psnrs = {_with_options(name, options): psnr for name, psnr in (psnrs or {}).items()}
    for source, (height, width) in itertools.product(sources, sizes):
        _check_size(source, height, width)
    ways = list(itertools.product(implementations, precisions))
    profiles: list[Profile] = []
    operations: list[tuple] = []
    with tempfile.TemporaryDirectory() as scratch:
        logs = logdir or (output / "logs" if output else Path(scratch))
        for folder in filter(None, (output, logs)):
            with user_output(folder):
                folder.mkdir(parents=True, exist_ok=True)
        for name, source in zip(models, sources, strict=True):
            for (height, width), way in itertools.product(sizes, ways):
                label = f"{_file_name(name)}_{width}x{height}_{'_'.join(way)}"
                print(f"profiling {label}", flush=True)
                network = _variant(source, way)
                latency = measure(network, height, width, logs / label, steps, max_batch)
                profiles.append(_profile(name, network, height, width, way, latency))
                operations += [
                    (label, operation.kind, operation.name, operation.milliseconds / latency.batch)
                    for operation in latency.trace.operations
                ]
                _print_breakdown(label, network, latency)
    print(format_table(profiles))
    for table in TABLES:
        print(f"\n{format_published(table, profiles)}")
    if output:
        with user_output(output):
            write_csv(output / "profile.csv", profiles)
            _write_operations(output / "operations.csv", operations)
            if psnrs:
                draw_plot(output / "latency_psnr.png", profiles, psnrs)
        print(f"\nWrote {output}; traces: tensorboard --logdir={logs}")
    return profiles


def _with_options(name: str, options: Mapping[str, Any] | None) -> str:
    if not options or name not in MODELS:
        return name
    return f"{name}({', '.join(f'{key}={value}' for key, value in options.items())})"


def _check_choice(flag: str, given: Sequence[str], known: Sequence[str]) -> None:
    if not given or not set(given) <= set(known):
        raise UserError(f"Choose from {', '.join(known)}. Received: --{flag}={','.join(given)}")


def _check_size(model: DenoisingModel, height: int, width: int) -> None:
    if height % model.size_multiple or width % model.size_multiple:
        raise UserError(
            f"{model.name} takes multiples of {model.size_multiple}. "
            f"Received: --sizes={width}x{height}"
        )


def _variant(model: DenoisingModel, way: Way) -> DenoisingModel:
    """Returns the network as inference runs it: normalization folded into the convolutions."""
    implementation, precision = way
    with precision_policy(precision):
        return fold_normalization(model, implementation=implementation)


def _profile(
    name: str, network: DenoisingModel, height: int, width: int, way: Way, latency: Latency
) -> Profile:
    gmacs = count_multiply_adds(network, height, width) / 1e9
    return Profile(
        model=name,
        network=network.name,
        height=height,
        width=width,
        implementation=way[0],
        precision=way[1],
        parameters=count_parameters(network),
        gmacs=gmacs,
        gflops=2 * gmacs,
        batch=latency.batch,
        profiler_ms=latency.milliseconds,
        median_ms=latency.median,
        p90_ms=latency.p90,
        megapixels=height * width / latency.median / 1e3,
        peak_mb=latency.peak_bytes / 1e6,
        hardware=describe_hardware(),
    )


def _print_breakdown(label: str, network: DenoisingModel, latency: Latency) -> None:
    operations = latency.trace.operations
    layers = by_layer(operations, [layer.name for layer in network.layers])
    print(format_breakdown(f"{label}, batch {latency.batch}, by layer", layers))
    print(format_breakdown(f"{label}, batch {latency.batch}, by operation", by_kind(operations)))


def _write_operations(path: Path, rows: Sequence[tuple]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("profile", "type", "operation", "milliseconds_per_image"))
        writer.writerows((*row[:-1], f"{row[-1]:.6g}") for row in rows)


def _file_name(model: str) -> str:
    return re.sub(r"[^\w.-]+", "_", model.strip("/"))
