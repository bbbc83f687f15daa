"""What is measured of a network: scores on test sets, and cost."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mallenet_tf.common.errors import UserError, user_input
from mallenet_tf.data import Leaves, MovingScenes
from mallenet_tf.evaluation.gaussian_benchmark import name_datasets
from mallenet_tf.evaluation.protocol import MEAN, Row, evaluate_gaussian, evaluate_pairs
from mallenet_tf.evaluation.real_noise_benchmark import sidd_pairs
from mallenet_tf.evaluation.sensor_noise import (
    Clip,
    DenoiseFrames,
    SensorNoise,
    evaluate_clips,
    image_clips,
)
from mallenet_tf.evaluation.sensor_noise_benchmark import network_method, video_clips
from mallenet_tf.evaluation.video_validation import SceneValidation
from mallenet_tf.experiment.reproduction import memory_cost
from mallenet_tf.experiment.reproduction.item import Cell
from mallenet_tf.experiment.reproduction.pictures import PICTURES
from mallenet_tf.experiment.reproduction.settings import Settings
from mallenet_tf.image_io import list_images, load_images, load_pairs
from mallenet_tf.inference import Denoiser
from mallenet_tf.models import DenoisingModel
from mallenet_tf.models.folding import fold_normalization
from mallenet_tf.profiling import benchmarking, count_multiply_adds, count_parameters
from mallenet_tf.profiling.latency import time_calls

Measure = Callable[[DenoisingModel, Cell, Settings, Mapping[str, Any]], list[Row]]
CALLS = 20  # for the latency


def images(settings: Settings, channels: int) -> Iterator[tuple[str, list[tuple[str, np.ndarray]]]]:
    """Yields each test set's name and images.

    Raises:
        UserError: If there are none.
    """
    if not settings.data:
        raise UserError("Give --data, folders to score on; --list says which.")
    with user_input():
        for name, patterns in name_datasets(settings.data).items():
            files = list_images(patterns)[: settings.limit]
            yield name, list(load_images(files, channels))


def gaussian(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Scores on images with white noise of the level that the network was trained with."""
    sigma = float(cell.labels.get("sigma", network.trained_sigma or 50.0))
    denoiser = Denoiser(network, tile=1024)

    def denoise(noisy: np.ndarray, sigma: float) -> np.ndarray:
        return denoiser(noisy, sigma if denoiser.takes_sigma else None)

    return [
        row
        for name, found in images(settings, network.image_channels)
        for row in evaluate_gaussian(denoise, found, [sigma], dataset=name)
    ]


def sidd(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Scores on SIDD's validation blocks, in float."""
    with user_input():
        pairs = sidd_pairs(Path(settings.data[0]))[: settings.limit]
    return evaluate_pairs(Denoiser(network), pairs, quantized=False, dataset="SIDD")


def pairs(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Scores on pairs of image files."""
    with user_input():
        found = list(load_pairs(settings.data, options["rename"], network.image_channels))
    return evaluate_pairs(Denoiser(network), found[: settings.limit], dataset="Nam")


def sensor(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Scores on images with Poisson-Gaussian noise, for each level."""
    clips = [
        clip
        for name, found in images(settings, network.image_channels)
        for clip in image_clips(name, found)
    ]
    return sensor_rows(network_method(Denoiser(network)), clips, options["levels"])


def sensor_video(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Scores on videos, or on synthetic scenes, with Poisson-Gaussian noise, for each level."""
    clips = list(clips_of(settings, network.image_channels, network.frames))
    return sensor_rows(network_method(Denoiser(network)), clips, options["levels"])


def sensor_rows(
    method: DenoiseFrames, clips: list[Clip], levels: Mapping[str, tuple[float, float]]
) -> list[Row]:
    """Scores a method at the paper's levels; the rows' "noise" names them."""
    return [
        {**row, "noise": level}
        for level, parameters in levels.items()
        for row in evaluate_clips(method, clips, [SensorNoise(*parameters)])
    ]


def clips_of(settings: Settings, channels: int, frames: int) -> Iterator[Clip]:
    """Yields clips of the videos of `--data`, or of synthetic scenes where there is none."""
    if settings.data:
        yield from video_clips(
            name_datasets(settings.data), channels, frames, each=settings.limit or 4
        )
    else:
        yield from scene_clips("scenes", (0.0, 8.0), settings.limit or 16, channels, frames)


def scene_clips(
    name: str, speed: tuple[float, float], count: int, channels: int, frames: int
) -> Iterator[Clip]:
    """Yields clips of synthetic scenes of a motion in pixels per frame."""
    source = MovingScenes(Leaves(), speed=speed, room_for=8.0)
    for window in SceneValidation(source, count=count).windows(channels, frames):
        yield Clip(name, window.names, list(window.frames))


def motion(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Scores at growing motion: steps between the frames of videos, or synthetic scenes."""
    method, noise = network_method(Denoiser(network)), [SensorNoise(*options["level"])]
    if settings.data:
        steps = range(1, 6)
        videos = name_datasets(settings.data)
        clips = video_clips(videos, network.image_channels, network.frames, steps)
        return [{**row, "motion": row["step"]} for row in evaluate_clips(method, clips, noise)]
    rows = []
    for speed in options["motions"]:
        count = settings.limit or 16
        clips = scene_clips("scenes", (speed, speed), count, network.image_channels, network.frames)
        rows += [{**row, "motion": speed} for row in evaluate_clips(method, clips, noise)]
    return rows


def cost(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Counts parameters, in millions, and multiply-adds, and times one image at batch 1."""
    height, width = options.get("size", (256, 256))
    gmacs = count_multiply_adds(network, height, width) / 1e9
    row: Row = {
        "parameters": count_parameters(network) / 1e6,
        "gmacs": gmacs,
        "gflops": 2 * gmacs,
    }
    if options.get("latency"):
        row["ms"] = _latency(fold_normalization(network), height, width)
    return [row]


def _latency(network: DenoisingModel, height: int, width: int) -> float:
    import tensorflow as tf

    image = tf.zeros((1, height, width, network.inputs[0].shape[-1]))
    graph = tf.function(lambda values: network(values, training=False), autograph=False)
    graph(image)
    return time_calls(lambda: graph(image).numpy(), CALLS)[0]


def memory(network: None, cell: Cell, settings: Settings, options: Mapping[str, Any]) -> list[Row]:
    """Measures the memory of a training step in a process of its own."""
    command = [sys.executable, "-m", memory_cost.__name__, *cell.labels.values()]
    environment = {**os.environ, **benchmarking.WITHOUT_POOL, "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise UserError(f"Measuring memory failed: {done.stderr.strip().splitlines()[-1]}")
    return [json.loads(done.stdout)]


MEASURES: Mapping[str, Callable[..., list[Row]]] = {
    "gaussian": gaussian,
    "sidd": sidd,
    "pairs": pairs,
    "sensor": sensor,
    "sensor_video": sensor_video,
    "motion": motion,
    "cost": cost,
    "memory": memory,
    **PICTURES,
}
# Labels of a score beside the network's own.
SCORE_LABELS = ("dataset", "noise", "motion", "frame")
IS_MEAN = MEAN
