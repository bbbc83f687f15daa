"""Makes a table or figure: expands its grid, trains, scores, and writes what came out.

    OUTPUT/runs/HASH/       trainings, by a hash of their configuration; shared between items
    OUTPUT/scores/HASH.json scores of a network, by a hash of network, test data and measure
    OUTPUT/PAPER_ITEM.csv, .md, .png

Whatever is there already is not made again, so that the same command resumes what was stopped.
"""

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mallenet_tf.common.errors import UserError, user_input, user_output
from mallenet_tf.common.files import atomic_path, fingerprint
from mallenet_tf.evaluation.baselines import find_baseline
from mallenet_tf.evaluation.protocol import MEAN, Row, evaluate_gaussian
from mallenet_tf.evaluation.sensor_noise import image_clips
from mallenet_tf.evaluation.sensor_noise_benchmark import BASELINE_FRAMES, baseline_method
from mallenet_tf.experiment.reproduction import measures, report
from mallenet_tf.experiment.reproduction.item import METRICS, Cell, Item
from mallenet_tf.experiment.reproduction.report import Result
from mallenet_tf.experiment.reproduction.settings import SHIPPED, Settings
from mallenet_tf.experiment.reproduction.training import (
    VIDEO_MEASURES,
    build_network,
    plan_training,
)
from mallenet_tf.image_io import list_images, list_sequences
from mallenet_tf.models import DenoisingModel, load_model, weights_path
from mallenet_tf.profiling.benchmarking import describe_machine

LABELS = {"dataset": "data", "noise": "noise", "motion": "motion", "frame": "frame"}
SENSOR = {"sensor": 1, "sensor_video": BASELINE_FRAMES}  # frames of a baseline's clip


def run(item: Item, settings: Settings) -> list[Result]:
    """Makes an item, prints its table and writes its files.

    Raises:
        UserError: If the settings cannot work, or a training was stopped.
    """
    results = [
        result for cell in item.cells(settings.only) for result in _measured(item, cell, settings)
    ]
    results += _baselines(item, settings)
    if not results:
        print(f"Wrote {item.name}'s pictures to {settings.output}")
        return results
    machine = describe_machine()
    lines = report.make_lines(item, results)
    table = report.markdown(item, lines, list(report.paired_tests(item, results)), machine)
    path = settings.output / item.name.replace("/", "_")
    with user_output(settings.output):
        report.write_results(path.with_suffix(".csv"), item, results, machine)
        with atomic_path(path.with_suffix(".md")) as temporary:
            temporary.write_text(table, encoding="utf-8")
        if item.plot:
            title = f"{item.title}\n{machine['hardware']}, {machine['date']}"
            report.draw(path.with_suffix(".png"), item.plot, lines, title)
    print(table, end="")
    print(f"Wrote {path}.csv and .md" + (" and .png" if item.plot else ""))
    return results


def _measured(item: Item, cell: Cell, settings: Settings) -> Iterator[Result]:
    """Yields the results of a cell, for each training."""
    if item.measure == "memory":
        yield from _scored(item, cell, settings, lambda: None, item.name, 0)
    elif item.measure == "cost" or (
        item.options.get("cost") and not settings.photographs and not settings.weights
    ):
        network = build_network(item, cell)
        yield from _as_results(cell, measures.cost(network, cell, settings, item.options), 0, "")
    elif settings.weights:
        shipped = SHIPPED in settings.weights
        weights = (item.weights if shipped else settings.weights).get(cell.name)
        if weights:
            with user_input():
                run = f"{weights} {fingerprint([weights_path(weights)])}"
            yield from _scored(item, cell, settings, functools.partial(_load, weights), run, 0)
    else:
        for seed in range(settings.seeds):
            print(f"{item.name}: {cell.name}, seed {seed}", flush=True)
            training = plan_training(item, cell, seed, settings)
            yield from _scored(item, cell, settings, training.network, training.run, seed)


def _load(weights: str) -> DenoisingModel:
    with user_input():
        return load_model(weights)


def _scored(
    item: Item,
    cell: Cell,
    settings: Settings,
    make: Callable[[], DenoisingModel | None],
    run: str,
    seed: int,
) -> Iterator[Result]:
    """Yields the scores of a network, which is made unless they are in the cache."""
    options = dict(item.options)
    if item.measure in measures.PICTURES:
        slug = "_".join([*item.name.split("/"), *cell.labels.values()]).replace(" ", "_")
        options["picture"] = settings.output / f"{slug}.png"
    key = {
        **{"measure": item.measure, "options": repr(sorted(item.options.items()))},
        **{"run": run, "data": _data_hash(item, settings), "limit": settings.limit},
        "labels": dict(cell.labels),
    }

    def measure() -> list[Row]:
        network = make()
        rows = measures.MEASURES[item.measure](network, cell, settings, options)
        if network is not None and options.get("cost"):
            rows += measures.cost(network, cell, settings, options)
        return rows

    rows = measure() if "picture" in options else _cached(settings.output, key, measure)
    yield from _as_results(cell, rows, seed, run)


def _cached(output: Path, key: Mapping[str, Any], measure: Callable[[], list[Row]]) -> list[Row]:
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    path = output / "scores" / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text())["rows"]
    rows = measure()
    with user_output(path), atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"key": key, "rows": rows}, default=float))
    return rows


def _data_hash(item: Item, settings: Settings) -> str:
    """Returns a hash of the files that networks are scored on."""
    if not settings.data:
        return ""
    with user_input():
        if item.measure == "sidd":
            return fingerprint(sorted(Path(settings.data[0]).glob("Validation*BlocksSrgb.mat")))
        if item.measure in VIDEO_MEASURES:
            found = list_sequences(settings.data)
            return fingerprint(file for each in found for file in each.images or (each.path,))
        return fingerprint(list_images(settings.data))


def _as_results(cell: Cell, rows: list[Row], seed: int, run: str) -> Iterator[Result]:
    """Makes results of a measure's rows; the mean over images is one, with the images' PSNRs."""
    images: dict[tuple, dict[str, float]] = {}
    means = []
    for row in rows:
        labels = {LABELS[key]: str(row[key]) for key in LABELS if key in row}
        if row.get("image", MEAN) == MEAN:
            metrics = {key: float(row[key]) for key in METRICS if key in row}
            means.append((labels, metrics))
        else:
            images.setdefault(tuple(labels.items()), {})[row["image"]] = row["psnr"]
    for labels, metrics in means:
        of_images = images.get(tuple(labels.items()), {})
        yield Result({**cell.labels, **labels}, metrics, seed, run, of_images)
    yield from _over_subsets(cell, means, seed, run)


def _over_subsets(cell: Cell, means: list, seed: int, run: str) -> Iterator[Result]:
    """Yields the mean over the subsets of sensor noise, which the paper's tables end with."""
    levels: dict[str, list[Mapping[str, float]]] = {}
    for labels, metrics in means:
        if "noise" in labels:
            levels.setdefault(labels["noise"], []).append(metrics)
    for noise, found in levels.items():
        mean = {name: float(np.mean([each[name] for each in found])) for name in found[0]}
        yield Result({**cell.labels, "data": "mean", "noise": noise}, mean, seed, run)


def _baselines(item: Item, settings: Settings) -> Iterator[Result]:
    """Yields the scores of methods that need no training, where their libraries are installed."""
    if not settings.data and item.measure != "sensor_video":
        return
    axis = next(iter(item.axes))
    for name in item.baselines:
        for sigma in item.axes.get("sigma", {"": ()}):
            labels = {axis: name} | ({"sigma": sigma} if sigma else {})
            try:
                rows = _cached(
                    settings.output,
                    {"baseline": name, "sigma": sigma, "measure": item.measure}
                    | {"data": _data_hash(item, settings), "limit": settings.limit},
                    lambda: _score_baseline(item, name, sigma, settings),  # noqa: B023
                )
            except UserError as error:
                print(f"{name} is left out: {error}")
                break
            yield from _as_results(Cell(labels, ()), rows, 0, name)


def _score_baseline(item: Item, name: str, sigma: str, settings: Settings) -> list[Row]:
    if item.measure == "sensor":
        clips = [
            clip
            for each, found in measures.images(settings, 1)
            for clip in image_clips(each, found)
        ]
        return measures.sensor_rows(baseline_method(name), clips, item.options["levels"])
    if item.measure == "sensor_video":
        clips = list(measures.clips_of(settings, 1, BASELINE_FRAMES))
        return measures.sensor_rows(baseline_method(name), clips, item.options["levels"])
    baseline = find_baseline(name)
    return [
        row
        for each, found in measures.images(settings, 1 if "data/gray.gin" in item.gin else 3)
        for row in evaluate_gaussian(
            lambda noisy, level: baseline([noisy], level / 255), found, [float(sigma)], dataset=each
        )
    ]
