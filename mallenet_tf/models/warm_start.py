"""Starting a network from the weights of one that was trained for another kind of input."""

import keras
import numpy as np

from mallenet_tf.models.denoising_model import DenoisingModel


def copy_weights(source: DenoisingModel, target: DenoisingModel) -> None:
    """Gives `target` the weights of `source`, a network of the same structure and size.

    The networks may differ in their input: a new noise level plane starts with zero weights, so
    that `target` denoises as `source` does until it is trained; a gray network from a colour one
    takes the sum over the colours going in and their mean coming out, which is `source` on a gray
    image up to the mean of its three outputs. Kernel prediction networks and deformable kernels,
    which filter the image itself, cannot change their input so.

    Args:
        source: a trained network.
        target: the network to change.

    Raises:
        ValueError: if a weight of `target` has none in `source` that fits it.
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
    """A variable's path without the name of its model."""
    return variable.path.removeprefix(f"{model.name}/")


def _refit(
    value: np.ndarray, shape: tuple[int, ...], source: DenoisingModel, target: DenoisingModel
) -> np.ndarray | None:
    """The kernel or bias of a convolution from or to the image; None if it is neither.

    Space-to-depth leaves the image's channels, and the plane behind them, innermost.
    """
    colours, channels = source.image_channels, target.image_channels
    to_gray = (colours, channels) == (3, 1)
    if value.shape[-1] == colours and shape == (*value.shape[:-1], channels) and to_gray:
        return value.mean(axis=-1, keepdims=True)
    if value.ndim != 4 or value.shape[:2] + value.shape[3:] != shape[:2] + shape[3:]:
        return None
    old, new = colours + source.noise_conditioned, channels + target.noise_conditioned
    if value.shape[2] % old or value.shape[2] // old * new != shape[2]:
        return None
    size, filters = value.shape[:2], value.shape[3]
    taps = value.reshape(*size, -1, old, filters)
    image, plane = taps[..., :colours, :], taps[..., colours:, :]
    if to_gray:
        image = image.sum(axis=-2, keepdims=True)
    elif colours != channels:
        return None
    if target.noise_conditioned and not source.noise_conditioned:
        plane = np.zeros((*image.shape[:-2], int(target.noise_conditioned), filters), value.dtype)
    elif int(source.noise_conditioned) != int(target.noise_conditioned):
        return None
    return np.concatenate([image, plane], axis=-2).reshape(shape)
