"""The inverted bottleneck as one native op, for inference.

MalleNet's blocks are cheap in multiplications and dear in memory traffic: their inner channels,
three times the outer ones, are written and read a dozen times by separate ops. The native op keeps
them in the caches (custom_ops/inverted_bottleneck); the reference defines what it computes.
"""

import functools
from types import ModuleType
from typing import Any

import keras
from keras import ops

from mallenet_tf.ops.loader import load_native, run_once
from mallenet_tf.ops.malleable_slice import _traced_for_xla

Tensor = Any


def inverted_bottleneck_reference(
    features: Tensor,
    expand: Tensor,
    expand_bias: Tensor,
    expand_alpha: Tensor,
    depthwise: Tensor,
    depthwise_bias: Tensor,
    depthwise_alpha: Tensor,
    project: Tensor,
    project_bias: Tensor,
) -> Tensor:
    """1x1 expansion, PReLU, 3x3 depthwise, PReLU, 1x1 projection, plus the features.

    Args:
        features: [N, H, W, C]; the convolutions pad with zeros.
        expand, depthwise, project: kernels [1, 1, C, E], [3, 3, E, 1] and [1, 1, E, C].
        expand_bias, depthwise_bias, project_bias: [E], [E] and [C].
        expand_alpha, depthwise_alpha: the PReLUs' slopes below zero, [1, 1, E] each.

    Returns:
        [N, H, W, C].
    """
    inner = _prelu(ops.conv(features, expand) + expand_bias, expand_alpha)
    inner = ops.depthwise_conv(inner, depthwise, padding="same") + depthwise_bias
    return features + ops.conv(_prelu(inner, depthwise_alpha), project) + project_bias


def _prelu(values: Tensor, alpha: Tensor) -> Tensor:
    return ops.where(values > 0, values, alpha * values)


def native_inverted_bottleneck() -> ModuleType | None:
    """Returns the module whose `inverted_bottleneck` computes the same; None where it cannot run.

    It takes the reference's arguments, in float32, on CPUs, under Keras's TensorFlow backend, and
    not in what XLA compiles. Its gradient is the reference's.
    """
    if keras.backend.backend() != "tensorflow" or _traced_for_xla() or _gpus():
        return None
    native = load_native()
    if native is not None:
        _register_gradient()
    return native


@functools.cache
def _gpus() -> int:
    import tensorflow as tf

    return len(tf.config.list_logical_devices("GPU"))


@run_once
def _register_gradient() -> None:
    """Tells TensorFlow how to differentiate the native op, once a process."""
    import tensorflow as tf

    @tf.RegisterGradient("InvertedBottleneck")
    def _gradient(op: Any, output_grad: Tensor) -> list[Tensor]:
        inputs = [tf.identity(value) for value in op.inputs]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            output = inverted_bottleneck_reference(*inputs)
        return tape.gradient(output, inputs, output_grad)
