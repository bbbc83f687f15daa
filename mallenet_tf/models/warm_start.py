"""Starts a network from the weights of one trained for another kind of input."""

import keras
import numpy as np

from mallenet_tf.models.denoising_model import DenoisingModel


def copy_weights(source: DenoisingModel, target: DenoisingModel) -> None:
    """Copies the weights of `source` to `target`, a network of the same structure and size.

    The networks may differ in their inputs. The weights of a new noise level map are zero, so that
    `target` starts with the outputs of `source`. A gray network from a color one takes the sum of
    the input weights over the colors and the mean of the output weights, so that it starts with the
    mean of the outputs of `source` for the gray image. Kernel prediction networks and deformable
    kernels, which filter the image itself, must have the same input.

    Args:
        source: Trained network.
        target: Network whose weights are set.

    Raises:
        ValueError: If `source` has no fitting weight for a weight of `target`.
    """
    weights = {variable_path(variable, source): variable for variable in source.variables}
    fitted = []
    for variable in target.variables:
        path = variable_path(variable, target)
        value = weights.get(path)
        value = None if value is None else keras.ops.convert_to_numpy(value)
        if value is not None and value.shape != tuple(variable.shape):
            value = _refit(value, tuple(variable.shape), source, target)
        if value is None:
            raise ValueError(
                f"{source.name} has no weights that fit {target.name}'s {path} of shape "
                f"{tuple(variable.shape)}; both must be of one structure and size. "
                f"Received: source={source.name!r}, target={target.name!r}"
            )
        fitted.append(value)
    for variable, value in zip(target.variables, fitted, strict=True):
        variable.assign(value)


def variable_path(variable: keras.Variable, model: DenoisingModel) -> str:
    """Returns a variable's path without the name of its model."""
    return variable.path.removeprefix(f"{model.name}/")


def _refit(
    value: np.ndarray, shape: tuple[int, ...], source: DenoisingModel, target: DenoisingModel
) -> np.ndarray | None:
    """Adapts a weight of a convolution from or to the image; returns None for other weights.

    After space-to-depth the image's channels and the noise level map are still innermost.
    """
    colors, channels = source.image_channels, target.image_channels
    to_gray = (colors, channels) == (3, 1)
    if value.shape[-1] == colors and shape == (*value.shape[:-1], channels) and to_gray:
        return value.mean(axis=-1, keepdims=True)
    if value.ndim != 4 or value.shape[:2] + value.shape[3:] != shape[:2] + shape[3:]:
        return None
    old, new = colors + source.noise_conditioned, channels + target.noise_conditioned
    if value.shape[2] % old or value.shape[2] // old * new != shape[2]:
        return None
    size, filters = value.shape[:2], value.shape[3]
    taps = value.reshape(*size, -1, old, filters)
    image, maps = taps[..., :colors, :], taps[..., colors:, :]
    if to_gray:
        image = image.sum(axis=-2, keepdims=True)
    elif colors != channels:
        return None
    if target.noise_conditioned and not source.noise_conditioned:
        maps = np.zeros((*image.shape[:-2], int(target.noise_conditioned), filters), value.dtype)
    elif int(source.noise_conditioned) != int(target.noise_conditioned):
        return None
    return np.concatenate([image, maps], axis=-2).reshape(shape)
