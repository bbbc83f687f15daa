"""Draws pictures that explain a result: before and after, over time, and the kernels behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.panels import row_of_panels
from mallenet_tf.inference.channels import from_batch, to_batch
from mallenet_tf.inference.denoiser import Denoiser
from mallenet_tf.inference.linear_light import to_network_range
from mallenet_tf.inference.noise_level import maps_for_network
from mallenet_tf.inference.padding import crop, pad_to_multiple

if TYPE_CHECKING:
    from keras import Model

MOST_SHOWN = 1024  # Pixels a side; of larger images a part is shown, so that pixels stay visible.


class Region:
    """The part of an image that a picture shows: around a pixel, or the middle.

    Args:
        shape: Shape of the image, [H, W, ...].
        around: Pixel (x, y); None for the middle.
    """

    def __init__(self, shape: tuple[int, ...], around: tuple[int, int] | None = None):
        height, width = shape[:2]
        x, y = around or (width // 2, height // 2)
        self.top = min(max(0, y - MOST_SHOWN // 2), max(0, height - MOST_SHOWN))
        self.left = min(max(0, x - MOST_SHOWN // 2), max(0, width - MOST_SHOWN))

    def of(self, image: np.ndarray) -> np.ndarray:
        """Returns a copy of that part of [H, W, C]."""
        bottom, right = self.top + MOST_SHOWN, self.left + MOST_SHOWN
        return image[self.top : bottom, self.left : right].copy()


def compare(noisy: np.ndarray, denoised: np.ndarray, linear_light: bool) -> np.ndarray:
    """Draws both [h, w, C] side by side, uint8 [h', w', 3]; linear light as sRGB shows it."""
    shown = [_display(image, linear_light) for image in (noisy, denoised)]
    return row_of_panels(shown, ["before", "after"])


def temporal_profile(noisy: Sequence[np.ndarray], denoised: Sequence[np.ndarray]) -> np.ndarray:
    """Draws what becomes of one row over time, after deformable_kernels.txt, Fig. 7.

    Args:
        noisy: The row in each frame, [width, 1 or 3], of any type that files hold.
        denoised: The same row of the result.

    Returns:
        uint8 [frames, width', 3]: both side by side, a line for each frame, from the top down.
    """
    images = [np.stack(noisy), np.stack(denoised)]
    shown = [_display(image, linear=image.dtype.kind == "f") for image in images]
    return row_of_panels(shown, ["noisy", "denoised"])


def show_kernels(
    denoiser: Denoiser,
    image: np.ndarray,
    sigma: float | None,
    linear_light: bool,
    positions: Sequence[tuple[int, int]],
) -> np.ndarray:
    """Draws what MalleConv's kernels do, after malleconv.txt, Fig. 11.

    The upper row holds the noisy image, the result, and for each position the result when the
    kernels predicted there are used everywhere. The lower row shows the kernels of each level, from
    the finest: their first three principal components as colors, so that like kernels look alike.
    Of a large image only the part around the first position is shown.

    Args:
        denoiser: With a network that has MalleConv layers.
        image: [H, W, C].
        sigma: Noise level in 8-bit units, for noise-conditioned networks.
        linear_light: Whether the image is linear light.
        positions: Pixels (x, y).

    Returns:
        uint8 [h', w', 3].

    Raises:
        UserError: If a position is outside the image.
        ValueError: If the network has no MalleConv.
    """
    height, width = image.shape[:2]
    for x, y in positions:
        if not (0 <= x < width and 0 <= y < height):
            raise UserError(
                f"The kernels to show are inside the image, {width} x {height} pixels. "
                f"Received: --show_kernels={x},{y}"
            )
    region = Region(image.shape, positions[0])
    noisy = region.of(image)
    import keras

    model = denoiser.model
    tile = to_network_range(noisy, linear_light)
    maps = maps_for_network(model, tile, sigma, None, linear_light)
    parts = [tile] if maps is None else [tile, maps]
    padded = pad_to_multiple(np.concatenate(parts, axis=2), model.padding_multiple)
    channels = tile.shape[2]
    padded_maps = None if maps is None else padded[..., channels:]
    batch = to_batch([padded[..., :channels]], padded_maps, model.image_channels)

    def run(network: Model) -> np.ndarray:
        answer = keras.ops.convert_to_numpy(network(batch, training=False))
        return np.clip(crop(from_batch(answer, channels), *tile.shape[:2]), 0.0, 1.0)

    # A MalleNet computes its coarsest level first.
    malleable = [layer for layer in model.layers if hasattr(layer, "predictor")][::-1]
    if not malleable:
        raise ValueError(f"This network has no MalleConv kernels. Received: {model.name}")
    images, titles = [np.clip(tile, 0.0, 1.0), run(model)], ["noisy", "denoised"]
    for x, y in positions:
        row, column = y - region.top, x - region.left
        place = ((row + 0.5) / batch.shape[1], (column + 0.5) / batch.shape[2])
        images.append(run(_with_one_kernel(model, place)))
        titles.append(f"the kernels at {x}, {y} everywhere")
    kernel_maps = [_kernel_map(model, layer, batch, tile.shape) for layer in malleable]
    upper = row_of_panels(images, titles)
    lower = row_of_panels(kernel_maps, [layer.name.replace("_", " ") for layer in malleable])
    return _stack(upper, lower)


def _with_one_kernel(model: Any, place: tuple[float, float]) -> Model:
    """Copies a network so that it uses the kernels predicted at one place everywhere."""
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
    """Draws the kernels and biases of one MalleConv as colors, uint8 [h, w, 3]."""
    import keras

    features = keras.Model(model.inputs[0], layer.input)(batch, training=False)
    kernels, bias = layer.predictor(features)
    arrays = [keras.ops.convert_to_numpy(part)[0] for part in (kernels, bias)]
    grid = np.concatenate([array.reshape(*bias.shape[1:3], -1) for array in arrays], axis=2)
    values = grid.reshape(-1, grid.shape[2])
    values = values - values.mean(axis=0)
    _, _, directions = np.linalg.svd(values, full_matrices=False)
    parts = np.zeros((len(values), 3), np.float32)
    parts[:, : len(directions)] = values @ directions[:3].T
    low, high = np.percentile(parts, [1, 99], axis=0)
    colors = np.clip((parts - low) / np.maximum(high - low, 1e-12), 0, 1)
    colors = (255 * colors).astype(np.uint8).reshape(*grid.shape[:2], 3)
    rows, columns = (
        np.minimum(np.arange(size) * cells // padded, cells - 1)
        for size, cells, padded in zip(shape, grid.shape, batch.shape[1:3], strict=False)
    )
    return colors[rows][:, columns]


def _display(image: np.ndarray, linear: bool) -> np.ndarray:
    return np.clip(to_network_range(image, linear), 0.0, 1.0)


def _stack(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    width = max(upper.shape[1], lower.shape[1])
    rows = [
        np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)
        for row in (upper, lower)
    ]
    return np.concatenate(rows)
