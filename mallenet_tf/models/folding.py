"""Batch normalisation folded into the convolutions in front of it, for inference."""

import keras
import numpy as np

from mallenet_tf.models.denoising_model import DenoisingModel
from mallenet_tf.models.warm_start import variable_path


def fold_normalization(model: DenoisingModel, **options) -> DenoisingModel:
    """A copy of a trained network without normalisation layers, for inference.

    With its moving statistics a batch normalisation is a scale and an offset for each channel, so
    the convolution in front of it can take them into its kernel and bias. The copy computes the
    same up to rounding.

    Args:
        model: a network whose normalisations bear their convolution's name and "_norm".
        **options: of the copy's constructor, for example `implementation="reference"`; those that
            the network does not have are left out.

    Returns:
        The copy; it shares nothing with `model`.
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
    """All layers by their paths. Keras has no public way to those inside other layers."""
    inner = model._flatten_layers(include_self=False)
    return {layer.path.removeprefix(f"{model.name}/"): layer for layer in inner if layer.path}


def _copy(source: DenoisingModel, target: DenoisingModel) -> None:
    """Gives `target` the weights of `source`; a bias that a normalisation made needless is zero."""
    values = {variable_path(variable, source): variable for variable in source.variables}
    for variable in target.variables:
        path = variable_path(variable, target)
        if path in values or not path.endswith("/bias"):
            variable.assign(values[path])


def _fold(norm: keras.layers.BatchNormalization, convolution: keras.layers.Layer) -> None:
    """Changes `convolution` so that it computes what it and then `norm` computed."""
    to_numpy = keras.ops.convert_to_numpy
    mean, variance = to_numpy(norm.moving_mean), to_numpy(norm.moving_variance)
    scale = to_numpy(norm.gamma) / np.sqrt(variance.astype(np.float64) + norm.epsilon)
    kernel = to_numpy(convolution.kernel)
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    convolution.kernel.assign(kernel * (scale[:, None] if depthwise else scale))
    bias = (to_numpy(convolution.bias) - mean) * scale + to_numpy(norm.beta)
    convolution.bias.assign(bias)
