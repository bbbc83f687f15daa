"""Figures that show images: each draws one network's picture and returns no scores."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from mallenet_tf.common.errors import user_input, user_output
from mallenet_tf.common.files import atomic_path
from mallenet_tf.data import Leaves, MovingScenes, add_gaussian_noise
from mallenet_tf.evaluation import side_by_side
from mallenet_tf.evaluation.protocol import Row
from mallenet_tf.evaluation.sensor_noise import SensorNoise
from mallenet_tf.evaluation.video_validation import SceneValidation, VideoValidation, Window
from mallenet_tf.experiment.reproduction.item import Cell
from mallenet_tf.experiment.reproduction.settings import Settings
from mallenet_tf.image_io import list_images, load_images, quantize, row_of_panels
from mallenet_tf.inference import Denoiser
from mallenet_tf.layers import DeformableConv, MalleConv
from mallenet_tf.models import DenoisingModel
from mallenet_tf.profiling.report import matplotlib_figure

SIDE = 256  # of what is shown of a photograph
MOST_IMAGES = 3
POSITIONS = ((0.1, 0.5), (0.9, 0.5))  # of Fig. 11's kernels: above and below
FRAMES = 60  # of a temporal profile


def photographs(
    settings: Settings, channels: int, sigma: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns the middle of some photographs, noisy and clean."""
    with user_input():
        files = list_images(settings.data)[: settings.limit or MOST_IMAGES]
        found = list(load_images(files, channels))
    shown = []
    for name, image in found:
        top, left = (max(0, size - SIDE) // 2 for size in image.shape[:2])
        clean = image[top : top + SIDE, left : left + SIDE]
        shown.append((add_gaussian_noise(clean, sigma, name), clean))
    return shown


def level(network: DenoisingModel, cell: Cell) -> tuple[float, float | None]:
    """Returns the noise level of an item, and what the network is told."""
    sigma = float(cell.labels.get("sigma", network.trained_sigma or 50.0))
    return sigma, sigma if network.noise_conditioned else None


def save(path: Path, rows: Sequence[np.ndarray]) -> list[Row]:
    """Saves rows of panels below each other."""
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    with user_output(path), atomic_path(path) as temporary:
        Image.fromarray(np.vstack(padded)).save(temporary)
    return []


def side_by_side_pictures(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Shows photographs noisy, denoised and clean (malleconv.txt, Figs. 5 and 6)."""
    sigma, told = level(network, cell)
    denoiser = Denoiser(network)
    pairs = photographs(settings, network.image_channels, sigma)
    rows = [side_by_side(noisy, denoiser(noisy, told), clean) for noisy, clean in pairs]
    return save(options["picture"], rows)


def one_kernel(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Shows results of all kernels and of the kernels at one position (malleconv.txt, Fig. 11)."""
    sigma, told = level(network, cell)
    pairs = photographs(settings, network.image_channels, sigma)
    filters = [layer for layer in network.layers if isinstance(layer, MalleConv)]
    columns = []
    for position in (None, *POSITIONS):
        for layer in filters:
            layer.position = position
        denoiser = Denoiser(network)  # compiled anew
        columns.append([quantize(denoiser(noisy, told)) for noisy, _ in pairs])
    for layer in filters:
        layer.position = None
    titles = ("noisy", "own kernels", *(f"kernels at {y:g}, {x:g}" for y, x in POSITIONS))
    noisy_images = [quantize(noisy) for noisy, _ in pairs]
    rows = [row_of_panels(panels, titles) for panels in zip(noisy_images, *columns, strict=True)]
    return save(options["picture"], rows)


def features(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Shows the mean over channels of some layers' outputs (adfnet.txt, Fig. 8)."""
    sigma, told = level(network, cell)
    outputs = [network.get_layer(name).output for name in options["layers"]]
    inner = keras.Model(network.inputs, outputs)
    rows = []
    for noisy, _ in photographs(settings, network.image_channels, sigma):
        maps = [np.asarray(found)[0].mean(-1) for found in inner(_batch(network, noisy, told))]
        panels = [_stretched(found) for found in maps]
        rows.append(
            row_of_panels(panels, [name.split("decoder_")[1] for name in options["layers"]])
        )
    return save(options["picture"], rows)


def sampling_positions(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Draws where deformable kernels read for the middle pixel, by scale (sadnet.txt, Fig. 4)."""
    sigma, told = level(network, cell)
    layers = [layer for layer in network.layers if isinstance(layer, DeformableConv)]
    inner = keras.Model(network.inputs, [layer.input for layer in layers])
    pairs = photographs(settings, network.image_channels, sigma)
    figure = matplotlib_figure().Figure(figsize=(3 * len(layers), 3 * len(pairs)))
    grid = figure.subplots(len(pairs), len(layers), squeeze=False)
    for axes_row, (noisy, clean) in zip(grid, pairs, strict=True):
        inputs = inner(_batch(network, noisy, told))
        for axes, layer, (found, guide) in zip(axes_row, layers, inputs, strict=True):
            offsets = np.asarray(layer.offsets(guide) if layer.predicts else guide)[0]
            scale = clean.shape[0] / found.shape[1]
            y, x = (size // 2 for size in offsets.shape[:2])
            moved = offsets[y, x].reshape(9, layer.groups, 3)[..., :2]
            taps = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), -1)
            places = scale * (moved + taps.reshape(9, 1, 2) + (y + 0.5, x + 0.5)) - 0.5
            axes.imshow(clean.squeeze(), cmap="gray")
            axes.plot(places[..., 1].ravel(), places[..., 0].ravel(), "r.", markersize=3)
            axes.set_title(layer.name, fontsize=7)
            axes.set_axis_off()
    return _save_figure(options["picture"], figure)


def temporal_profile(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Shows the middle line of a video over time (deformable_kernels.txt, Fig. 7)."""
    noise = SensorNoise(*options["level"])
    lines: list[list[np.ndarray]] = [[], [], []]
    for window in video_windows(settings, network, FRAMES):
        noisy, denoised = _denoise_window(network, window, noise)
        middle = window.target[1]
        for kept, image in zip(lines, (noisy, denoised, middle), strict=True):
            kept.append(image[image.shape[0] // 2])
    panels = [np.stack(kept).repeat(3, 0).repeat(3, 1) for kept in lines]
    return save(options["picture"], [row_of_panels(panels, ("noisy", "denoised", "clean"))])


def sampled_frames(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Measures the shares of the frames that 3-D kernels read (deformable_kernels.txt, Fig. 9)."""
    times = [
        _sampled(network, window, options)[..., 2] for window in video_windows(settings, network)
    ]
    counts, _ = np.histogram(
        np.concatenate([found.ravel() for found in times]),
        np.arange(network.frames + 1) - network.frames / 2,
    )
    middle = network.frames // 2
    shares = 100 * counts / counts.sum()
    return [{"frame": index - middle, "share": share} for index, share in enumerate(shares)]


def sampled_positions(
    network: DenoisingModel, cell: Cell, settings: Settings, options: Mapping[str, Any]
) -> list[Row]:
    """Draws the samples of the middle pixel in space and time (deformable_kernels.txt, Fig. 10)."""
    window = video_windows(settings, network)[0]
    offsets = _sampled(network, window, options)
    y, x = (size // 2 for size in offsets.shape[:2])
    vertical, horizontal, time = offsets[y, x].T
    figure = matplotlib_figure().Figure(figsize=(9, 3), layout="constrained")
    for axes, first, second, names in zip(
        figure.subplots(1, 3),
        (horizontal, horizontal, time),
        (vertical, time, vertical),
        (("x", "y"), ("x", "frame"), ("frame", "y")),
        strict=True,
    ):
        axes.plot(first, second, "r.")
        axes.set(xlabel=names[0], ylabel=names[1])
    return _save_figure(options["picture"], figure)


PICTURES: Mapping[str, Callable[..., list[Row]]] = {
    "side_by_side": side_by_side_pictures,
    "one_kernel": one_kernel,
    "features": features,
    "sampling_positions": sampling_positions,
    "temporal_profile": temporal_profile,
    "sampled_frames": sampled_frames,
    "sampled_positions": sampled_positions,
}


def video_windows(settings: Settings, network: DenoisingModel, each: int = 4) -> list[Window]:
    """Returns windows of the first video of `--data`, or of synthetic scenes without it."""
    if settings.data:
        taken = VideoValidation(settings.data, each=each, limit=1)
        return list(taken.windows(network.image_channels, network.frames))
    source = MovingScenes(Leaves(), speed=(2.0, 2.0), room_for=8.0)
    return SceneValidation(source, count=min(each, 8)).windows(
        network.image_channels, network.frames
    )


def _denoise_window(
    network: DenoisingModel, window: Window, noise: SensorNoise
) -> tuple[np.ndarray, np.ndarray]:
    noisy = [
        noise.add(frame, name) for frame, name in zip(window.frames, window.names, strict=True)
    ]
    middle = noisy[len(noisy) // 2]
    told = noise.level_map(middle) if network.noise_conditioned else None
    return quantize(middle), quantize(Denoiser(network).denoise_window(noisy, None, told))


def _sampled(network: DenoisingModel, window: Window, options: Mapping[str, Any]) -> np.ndarray:
    """Returns each tap's offset from its pixel, `[H, W, taps, 3]`: y, x and t."""
    noise = SensorNoise(*options["level"])
    noisy = [
        noise.add(frame, name) for frame, name in zip(window.frames, window.names, strict=True)
    ]
    maps = [noise.level_map(noisy[len(noisy) // 2])] if network.noise_conditioned else []
    layer = network.get_layer("samples")
    inner = keras.Model(network.inputs, network.get_layer("c27").output)
    found = np.asarray(inner(np.concatenate([*noisy, *maps], -1)[None]))[0]
    moved = found.reshape(*found.shape[:2], layer.taps, 3)
    reach = (layer.max_offset, layer.max_offset, layer.frames // 2)
    grid = np.array(list(itertools.product((-1, 0, 1), repeat=3)))[:, [1, 2, 0]]  # t, y, x order
    return moved * reach + grid


def _batch(network: DenoisingModel, noisy: np.ndarray, told: float | None) -> np.ndarray:
    multiple = network.padding_multiple
    height, width = (size // multiple * multiple for size in noisy.shape[:2])
    image = noisy[:height, :width]
    if told is not None:
        image = np.concatenate([image, np.full((height, width, 1), told / 255, np.float32)], -1)
    return image[None]


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, (1, 99))
    unit = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    return np.repeat(np.uint8(255 * unit)[..., None], 3, -1)


def _save_figure(path: Path, figure: Any) -> list[Row]:
    with user_output(path), atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)
    return []
