"""The inverted bottleneck as one native op, for inference, and its readable reference.

MalleNet's blocks need few multiplications and are memory-bound: separate ops write and read the
inner channels, three times the outer ones, a dozen times. The native op keeps them in the caches
(custom_ops/inverted_bottleneck).
"""

import functools
from typing import Any

from keras import ops

from mallenet_tf.ops.loader import load_native
from mallenet_tf.ops.native_calls import native_obstacle, run_once

Tensor = Any


def native_bottleneck_available() -> bool:
    """Says whether `inverted_bottleneck` can run in the current call; may load the library.

    It needs the native library, Keras's TensorFlow backend and a machine without GPUs. XLA cannot
    compile it.
    """
    return native_obstacle() is None and not _has_gpu() and load_native() is not None


def inverted_bottleneck(
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
    """Computes `inverted_bottleneck_reference` by the native op; its gradient is the reference's.

    Arguments and result are those of the reference, in float32.

    Raises:
        RuntimeError: The native op cannot run here; see `native_bottleneck_available`.
    """
    native = load_native() if native_bottleneck_available() else None
    if native is None:
        raise RuntimeError("the native inverted_bottleneck cannot run here")
    _register_gradient()
    return native.inverted_bottleneck(
        features,
        expand,
        expand_bias,
        expand_alpha,
        depthwise,
        depthwise_bias,
        depthwise_alpha,
        project,
        project_bias,
    )


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
        features: [N, H, W, C]. The convolutions use zero padding.
        expand: Kernel of the expansion, [1, 1, C, E].
        expand_bias: [E].
        expand_alpha: Slope of the first PReLU below zero, [1, 1, E].
        depthwise: Kernel of the depthwise convolution, [3, 3, E, 1].
        depthwise_bias: [E].
        depthwise_alpha: Slope of the second PReLU below zero, [1, 1, E].
        project: Kernel of the projection, [1, 1, E, C].
        project_bias: [C].

    Returns:
        [N, H, W, C].
    """
    inner = _prelu(ops.conv(features, expand) + expand_bias, expand_alpha)
    inner = ops.depthwise_conv(inner, depthwise, padding="same") + depthwise_bias
    return features + ops.conv(_prelu(inner, depthwise_alpha), project) + project_bias


def _prelu(values: Tensor, alpha: Tensor) -> Tensor:
    return ops.where(values > 0, values, alpha * values)


@functools.cache
def _has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_logical_devices("GPU"))


@run_once
def _register_gradient() -> None:
    """Registers the native op's gradient with TensorFlow."""
    import tensorflow as tf

    @tf.RegisterGradient("InvertedBottleneck")
    def _gradient(op: Any, output_grad: Tensor) -> list[Tensor]:
        inputs = [tf.identity(value) for value in op.inputs]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            output = inverted_bottleneck_reference(*inputs)
        return tape.gradient(output, inputs, output_grad)
