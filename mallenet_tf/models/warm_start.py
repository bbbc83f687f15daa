"""Starts a network from the weights of a narrower one, or of one for another kind of input."""

import keras
import numpy as np

from mallenet_tf.models.denoising_model import DenoisingModel


def copy_weights(source: DenoisingModel, target: DenoisingModel) -> None:
    """Copies the weights of `source` to `target`, a network of the same structure.

    `target` may be wider by a whole number: its features are copies of those of `source`, in the
    order c0, c0, c1, c1, ..., and the weights that read the copies of a feature are random shares
    of the weight that read it (Net2Net, Chen et al. 2016, section 2.2). It starts with the outputs
    of `source`, and the copies learn different things.

    Networks of the same width may differ in their inputs. The weights of a new noise level map are
    zero, so that `target` starts with the outputs of `source`. A gray network from a color one
    takes the sum of the input weights over the colors and the mean of the output weights, so that
    it starts with the mean of the outputs of `source` for the gray image. Kernel prediction
    networks and deformable kernels, which filter the image itself, must have the same input.

    Args:
        source: Trained network.
        target: Network whose weights are set.

    Raises:
        ValueError: If `source` has no fitting weight for a weight of `target`, or a wider network
            would not have the outputs of `source`.
    """
    weights = {variable_path(variable, source): variable for variable in source.variables}
    fitted = []
    generator = np.random.default_rng(0)
    wider = False
    for variable in target.variables:
        path = variable_path(variable, target)
        value = weights.get(path)
        value = None if value is None else keras.ops.convert_to_numpy(value)
        if value is not None and value.shape != tuple(variable.shape):
            narrow, shape = value, tuple(variable.shape)
            value = _refit(narrow, shape, source, target)
            if value is None:
                value, wider = _widen(narrow, shape, path, generator), True
        if value is None:
            raise ValueError(
                f"{source.name} has no weights that fit {target.name}'s {path} of shape "
                f"{tuple(variable.shape)}; both must be of one structure, and as wide, or the "
                "target wider by a whole number. "
                f"Received: source={source.name!r}, target={target.name!r}"
            )
        fitted.append(value)
    before = [keras.ops.convert_to_numpy(variable) for variable in target.variables]
    _assign(target, fitted)
    if wider and not _same_outputs(source, target):
        _assign(target, before)
        raise ValueError(
            f"{target.name} would not have the outputs of {source.name}; they must be of one "
            "structure, which repeats features, and have the same input. "
            f"Received: source={source.name!r}, target={target.name!r}"
        )


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


def _widen(
    value: np.ndarray, shape: tuple[int, ...], path: str, generator: np.random.Generator
) -> np.ndarray | None:
    """Repeats a weight's outputs and shares its inputs out; returns None if it does not fit.

    Convolution kernels are [height, width, inputs, outputs], depthwise ones [height, width,
    channels, 1]; the last axis of other weights is that of the features.
    """
    if value.ndim != len(shape) or any(
        new % old for old, new in zip(value.shape, shape, strict=True)
    ):
        return None
    for axis, (old, new) in enumerate(zip(value.shape, shape, strict=True)):
        copies = new // old
        if copies == 1:
            continue
        value = np.repeat(value, copies, axis)
        if axis == value.ndim - 2 and "depthwise" not in path:
            shares = generator.normal(0.0, 0.5 / copies, (*value.shape[:axis], old, copies, 1))
            shares += 1.0 / copies - shares.mean(axis=-2, keepdims=True)
            value = value * shares.reshape(*value.shape[: axis + 1], 1).astype(value.dtype)
    return value


def _same_outputs(source: DenoisingModel, target: DenoisingModel) -> bool:
    """Returns whether two networks have the same outputs for an image of noise."""
    shape = source.inputs[0].shape
    if tuple(shape) != tuple(target.inputs[0].shape):
        return False
    side = 2 * max(source.size_multiple, 8)
    image = np.random.default_rng(0).random((1, *[side] * (len(shape) - 2), shape[-1]), np.float32)
    wanted, found = (keras.ops.convert_to_numpy(model(image)) for model in (source, target))
    return np.allclose(found, wanted, rtol=0.0, atol=1e-3 * np.abs(wanted).max())


def _assign(model: DenoisingModel, values: list[np.ndarray]) -> None:
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
