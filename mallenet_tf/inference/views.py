"""Pictures that explain a result: before and after, and the kernels that made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mallenet_tf.image_io.panels import row_of_panels
from mallenet_tf.image_io.pixels import as_float
from mallenet_tf.inference import linear_light
from mallenet_tf.inference.channels import from_batch, to_batch
from mallenet_tf.inference.denoiser import Denoiser
from mallenet_tf.inference.noise_level import maps_for_network
from mallenet_tf.inference.padding import crop, pad_to_multiple

if TYPE_CHECKING:
    from keras import Model

MOST_SHOWN = 1024  # pixels a side: pictures show single pixels, so larger images are cut


class Region:
    """The part of an image that a picture shows, around a pixel, or its middle."""

    def __init__(self, shape: tuple[int, ...], around: tuple[int, int] | None = None):
        height, width = shape[:2]
        x, y = around or (width // 2, height // 2)
        self.top = min(max(0, y - MOST_SHOWN // 2), max(0, height - MOST_SHOWN))
        self.left = min(max(0, x - MOST_SHOWN // 2), max(0, width - MOST_SHOWN))

    def of(self, image: np.ndarray) -> np.ndarray:
        """A copy of that part of [H, W, C]."""
        bottom, right = self.top + MOST_SHOWN, self.left + MOST_SHOWN
        return image[self.top : bottom, self.left : right].copy()


def compare(noisy: np.ndarray, denoised: np.ndarray, light: bool) -> np.ndarray:
    """Both [h, w, C] side by side, uint8 [h', w', 3]; linear light as sRGB shows it."""
    return row_of_panels([_shown(noisy, light), _shown(denoised, light)], ["before", "after"])


def show_kernels(
    denoiser: Denoiser,
    noisy: np.ndarray,
    sigma: float | None,
    light: bool,
    positions: Sequence[tuple[int, int]],
) -> np.ndarray:
    """What MalleConv's kernels do, after malleconv.txt, Fig. 11.

    The upper row holds the image, the result, and the results when the kernels predicted at one
    place are used everywhere. The lower row shows the kernels of each level, from the finest:
    their first three principal components as colours, so that like kernels look alike.

    Args:
        denoiser: with a network that has MalleConv layers.
        noisy: [h, w, C], small enough for one tile.
        sigma: for noise-conditioned networks.
        light: whether the image is linear light.
        positions: (x, y) in pixels of `noisy`.

    Returns:
        uint8 [h', w', 3].

    Raises:
        ValueError: if the network has no MalleConv.
    """
    import keras

    model = denoiser.model
    tile = linear_light.to_network_range(noisy, light)
    maps = maps_for_network(model, tile, sigma, None, light)
    parts = [tile] if maps is None else [tile, maps]
    padded = pad_to_multiple(np.concatenate(parts, axis=2), model.padding_multiple)
    channels = tile.shape[2]
    padded_maps = None if maps is None else padded[..., channels:]
    batch = to_batch([padded[..., :channels]], padded_maps, model.image_channels)

    def run(network: Model) -> np.ndarray:
        answer = keras.ops.convert_to_numpy(network(batch, training=False))
        return np.clip(crop(from_batch(answer, channels), *tile.shape[:2]), 0.0, 1.0)

    # A MalleNet works from its coarsest level up.
    malleable = [layer for layer in model.layers if hasattr(layer, "predictor")][::-1]
    if not malleable:
        raise ValueError(f"This network has no MalleConv kernels. Received: {model.name}")
    images, titles = [_shown(noisy, light), run(model)], ["noisy", "denoised"]
    for x, y in positions:
        place = ((y + 0.5) / batch.shape[1], (x + 0.5) / batch.shape[2])
        images.append(run(_with_one_kernel(model, place)))
        titles.append(f"the kernels at {x}, {y} everywhere")
    kernel_maps = [_kernel_map(model, layer, batch, tile.shape) for layer in malleable]
    upper = row_of_panels(images, titles)
    lower = row_of_panels(kernel_maps, [layer.name.replace("_", " ") for layer in malleable])
    return _stack(upper, lower)


def _with_one_kernel(model: Any, place: tuple[float, float]) -> Model:
    """The same network, with the kernels predicted at one place used everywhere."""
    import keras

    def chosen(layer: Any) -> Any:
        config = layer.get_config()
        if "position" in config:
            config["position"] = place
        return type(layer).from_config(config)

    copy = keras.models.clone_model(
        keras.Model(model.inputs[0], model.outputs[0]), clone_function=chosen
    )
    copy.set_weights(model.get_weights())
    return copy


def _kernel_map(model: Any, layer: Any, batch: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The kernels and biases of one MalleConv on this batch as colours, uint8 [h, w, 3]."""
    import keras

    features = keras.Model(model.inputs[0], layer.input)(batch, training=False)
    kernels, bias = layer.predictor(features)
    grid = np.concatenate(
        [keras.ops.convert_to_numpy(part)[0].reshape(*bias.shape[1:3], -1)
         for part in (kernels, bias)], axis=2,
    )  # fmt: skip
    values = grid.reshape(-1, grid.shape[2])
    values = values - values.mean(axis=0)
    _, _, directions = np.linalg.svd(values, full_matrices=False)
    parts = np.zeros((len(values), 3), np.float32)
    parts[:, : len(directions)] = values @ directions[:3].T
    low, high = np.percentile(parts, [1, 99], axis=0)
    colours = np.clip((parts - low) / np.maximum(high - low, 1e-12), 0, 1)
    colours = (255 * colours).astype(np.uint8).reshape(*grid.shape[:2], 3)
    rows, columns = (
        np.minimum(np.arange(size) * cells // padded, cells - 1)
        for size, cells, padded in zip(shape, grid.shape, batch.shape[1:3], strict=False)
    )
    return colours[rows][:, columns]


def _shown(image: np.ndarray, light: bool) -> np.ndarray:
    display = linear_light.to_display(image) if light else as_float(image)
    return np.clip(display, 0.0, 1.0)


def _stack(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    width = max(upper.shape[1], lower.shape[1])
    rows = [
        np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)
        for row in (upper, lower)
    ]
    return np.concatenate(rows)
