"""The residual blocks of MalleNet and of its kernel predictor."""

import math
from typing import Any

import keras
from keras import layers

from mallenet_tf.common.types import Shape, Tensor
from mallenet_tf.ops import (
    IMPLEMENTATIONS,
    inverted_bottleneck,
    native_bottleneck_available,
)

NORMALIZATIONS = (None, "batch")


def normalization_layer(kind: str | None, name: str, **options: Any) -> keras.layers.Layer | None:
    """Returns a normalization layer over the last axis, or None.

    Args:
        kind: None, or "batch" for batch normalization with statistics over all replicas.
        name: Name of the layer.
        **options: Further arguments of `BatchNormalization`.

    Raises:
        ValueError: If `kind` is unknown.
    """
    if kind not in NORMALIZATIONS:
        raise ValueError(f"normalization must be one of {NORMALIZATIONS}. Received: {kind!r}")
    if kind is None:
        return None
    # Keras synchronizes replicas on TensorFlow only and raises an error on other backends.
    synchronized = keras.backend.backend() == "tensorflow"
    return layers.BatchNormalization(
        momentum=0.99, epsilon=1e-3, synchronized=synchronized, name=name, **options
    )


def he_normal(scale: float = 1.0) -> keras.initializers.Initializer:
    """Returns He initialization (He et al. 2015) with its variance multiplied by `scale`."""
    return keras.initializers.VarianceScaling(2.0 * scale, "fan_in")


def convolution(
    filters: int, size: int, name: str, scale: float = 1.0, **options: Any
) -> layers.Conv2D:
    """Returns a `Conv2D` that keeps height and width and starts from `he_normal(scale)`.

    Args:
        filters: Number of output channels.
        size: Side of the kernel.
        name: Name of the layer.
        scale: Factor of the initial weights' variance.
        **options: Further arguments of `Conv2D`.
    """
    return layers.Conv2D(
        filters, size, padding="same", kernel_initializer=he_normal(scale), name=name, **options
    )


def he_depthwise(kernel_size: int) -> keras.initializers.Initializer:
    """Returns He initialization for a depthwise kernel, whose fan-in Keras overestimates."""
    return keras.initializers.RandomNormal(0.0, math.sqrt(2.0) / kernel_size)


# The last convolution of a residual branch starts small, so that a deep stack without
# normalization starts near the identity. Otherwise the output diverges in the first steps.
RESIDUAL_SCALE = 0.05


class _ResidualStack(layers.Layer):
    """Computes inputs + last(...first(inputs)); a subclass appends its layers in `__init__`."""

    def __init__(self, channels: int, normalization: str | None, **kwargs: Any):
        super().__init__(**kwargs)
        self.channels = channels
        self.normalization = normalization
        self.stack: list[keras.layers.Layer] = []

    def _append(self, layer: keras.layers.Layer, activate: bool) -> None:
        policy = self.dtype_policy
        norm = normalization_layer(self.normalization, f"{layer.name}_norm", dtype=policy)
        self.stack.append(layer)
        if norm is not None:
            self.stack.append(norm)
        if activate:
            prelu = layers.PReLU(shared_axes=[1, 2], dtype=policy, name=f"{layer.name}_prelu")
            self.stack.append(prelu)

    def build(self, input_shape: Shape) -> None:
        if input_shape[-1] != self.channels:
            raise ValueError(
                "channels must equal the input's number of channels. "
                f"Received: channels={self.channels}, {input_shape[-1]} channels"
            )
        shape = input_shape
        for layer in self.stack:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        features = inputs
        for layer in self.stack:
            if isinstance(layer, layers.BatchNormalization):
                features = layer(features, training=training)
            else:
                features = layer(features)
        return inputs + features

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = {"channels": self.channels, "normalization": self.normalization}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("mallenet_tf")
class InvertedBottleneck(_ResidualStack):
    """Inverted bottleneck: 1x1 expansion, 3x3 depthwise, 1x1 projection, plus the input.

    PReLU follows the first two convolutions.

    Source: MobileNetV2 (Sandler et al. 2018) as used in malleconv.txt, section 3.4 and Fig. 3.

    Args:
        channels: Number of input and output channels.
        expansion: Ratio of the inner width to `channels`; 3 matches the paper's FLOPs.
        normalization: None, or "batch" to normalize after each convolution.
        implementation: "auto", "native" or "reference". "reference" always runs the Keras layers.
            The other two run inference in float32 without normalization as one fused native op
            where that is available.

    Input shape:
        `[N, H, W, channels]`.

    Output shape:
        The same.

    Raises:
        ValueError: If `implementation` or `normalization` is unknown, or the input does not have
            `channels` channels.

    Example:
        >>> InvertedBottleneck(16)(keras.ops.ones((1, 8, 8, 16))).shape
        TensorShape([1, 8, 8, 16])
    """

    def __init__(
        self,
        channels: int,
        expansion: int = 3,
        normalization: str | None = None,
        implementation: str = "auto",
        **kwargs: Any,
    ):
        super().__init__(channels, normalization, **kwargs)
        if implementation not in IMPLEMENTATIONS:
            raise ValueError(
                f"implementation must be one of {', '.join(IMPLEMENTATIONS)}. "
                f"Received: implementation={implementation!r}"
            )
        self.expansion = expansion
        self.implementation = implementation
        policy = self.dtype_policy
        expand = convolution(expansion * channels, 1, "expand", dtype=policy)
        depthwise = layers.DepthwiseConv2D(
            3,
            padding="same",
            depthwise_initializer=he_depthwise(3),
            dtype=policy,
            name="depthwise",
        )
        project = convolution(channels, 1, "project", RESIDUAL_SCALE, dtype=policy)
        self._append(expand, activate=True)
        self._append(depthwise, activate=True)
        self._append(project, activate=False)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        if training or not self._fusable() or not native_bottleneck_available():
            return super().call(inputs, training=training)
        # Each layer's variables in the order of the op's arguments.
        variables = [variable for layer in self.stack for variable in layer.weights]
        return inverted_bottleneck(inputs, *map(keras.ops.convert_to_tensor, variables))

    def _fusable(self) -> bool:
        plain = self.normalization is None and self.implementation != "reference"
        return plain and self.compute_dtype == self.variable_dtype == "float32"

    def get_config(self) -> dict[str, Any]:
        config = {"expansion": self.expansion, "implementation": self.implementation}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("mallenet_tf")
class ResidualBlock(_ResidualStack):
    """Residual block: 3x3 convolution, PReLU, 3x3 convolution, plus the input.

    Source: He et al. 2016, as used in malleconv.txt, section 3.2 (predictor) and 4.6 (MalleNet-R).

    Args:
        channels: Number of input and output channels.
        normalization: None, or "batch" to normalize after each convolution.

    Input shape:
        `[N, H, W, channels]`.

    Output shape:
        The same.

    Raises:
        ValueError: If `normalization` is unknown, or the input does not have `channels` channels.

    Example:
        >>> ResidualBlock(16)(keras.ops.ones((1, 8, 8, 16))).shape
        TensorShape([1, 8, 8, 16])
    """

    def __init__(self, channels: int, normalization: str | None = None, **kwargs: Any):
        super().__init__(channels, normalization, **kwargs)
        for name, scale, activate in (("conv1", 1.0, True), ("conv2", RESIDUAL_SCALE, False)):
            self._append(convolution(channels, 3, name, scale, dtype=self.dtype_policy), activate)
