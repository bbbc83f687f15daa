"""Batch normalization folded into the convolutions before it, for inference."""

from typing import Any

import keras
import numpy as np

from mallenet_tf.models.denoising_model import DenoisingModel
from mallenet_tf.models.warm_start import variable_path


def fold_normalization(model: DenoisingModel, **options: Any) -> DenoisingModel:
    """Copies a trained network without its normalization layers, for inference.

    At inference a batch normalization is a scale and an offset for each channel, which the kernel
    and bias of the convolution before it can absorb. The copy computes the same up to rounding.

    Args:
        model: Network whose normalizations are named after their convolution plus "_norm".
        **options: Arguments of the copy's constructor, for example `implementation="reference"`;
            those that the network does not have are ignored.

    Returns:
        The copy, which shares nothing with `model`.
    """
    config = model.get_config()
    changes = {"normalization": None, **options}
    copy = type(model).from_config(
        config | {name: value for name, value in changes.items() if name in config}
    )
    _copy(model, copy)
    targets = _layers(copy)
    for path, layer in _layers(model).items():
        if isinstance(layer, keras.layers.BatchNormalization) and path not in targets:
            _fold(layer, targets[path.removesuffix("_norm")])
    return copy


def _layers(model: DenoisingModel) -> dict[str, keras.layers.Layer]:
    """Returns all layers by their paths. Keras has no public access to nested layers."""
    inner = model._flatten_layers(include_self=False)
    return {layer.path.removeprefix(f"{model.name}/"): layer for layer in inner if layer.path}


def _copy(source: DenoisingModel, target: DenoisingModel) -> None:
    """Copies weights; biases that the normalization made redundant are zero."""
    values = {variable_path(variable, source): variable for variable in source.variables}
    for variable in target.variables:
        path = variable_path(variable, target)
        if path in values or not path.endswith("/bias"):
            variable.assign(values[path])


def _fold(norm: keras.layers.BatchNormalization, convolution: keras.layers.Layer) -> None:
    """Changes `convolution` so that it computes what it and `norm` computed."""
    to_numpy = keras.ops.convert_to_numpy
    mean, variance = to_numpy(norm.moving_mean), to_numpy(norm.moving_variance)
    scale = to_numpy(norm.gamma) / np.sqrt(variance.astype(np.float64) + norm.epsilon)
    kernel = to_numpy(convolution.kernel)
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    convolution.kernel.assign(kernel * (scale[:, None] if depthwise else scale))
    bias = (to_numpy(convolution.bias) - mean) * scale + to_numpy(norm.beta)
    convolution.bias.assign(bias)
