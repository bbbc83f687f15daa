"""Layers that read the noise level maps in a network's input."""

from typing import Any

import keras
from keras import layers, ops

from mallenet_tf.common.types import Shape, Tensor


@keras.saving.register_keras_serializable("mallenet_tf")
class SelectChannels(layers.Layer):
    """Selects channels: the image, the noise level map or a color of a network's input.

    Args:
        channels: Number of channels.
        start: Index of the first channel.
        step: Distance between the channels.

    Input shape:
        `[N, H, W, C]`, with all these channels.

    Output shape:
        `[N, H, W, channels]`.

    Example:
        >>> SelectChannels(1, start=3)(keras.ops.ones((1, 4, 4, 5))).shape
        TensorShape([1, 4, 4, 1])
    """

    def __init__(self, channels: int, start: int = 0, step: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.channels = channels
        self.start = start
        self.step = step

    def call(self, inputs: Tensor) -> Tensor:
        stop = self.start + self.step * self.channels
        return inputs[..., self.start : stop : self.step]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.channels)

    def get_config(self) -> dict[str, Any]:
        config = {"channels": self.channels, "start": self.start, "step": self.step}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("mallenet_tf")
class NoiseGain(layers.Layer):
    """Computes the factor of the predicted noise from the noise level map.

    The factor is 1 for noise levels of at least one 8-bit unit and falls linearly to 0 below, so
    that an image without noise stays unchanged.

    Input shape:
        Noise level maps, sigma / 255, of any shape.

    Output shape:
        The same.

    Example:
        >>> NoiseGain()(keras.ops.array([0.0, 0.5 / 255, 25 / 255])).numpy()
        array([0. , 0.5, 1. ], dtype=float32)
    """

    def call(self, inputs: Tensor) -> Tensor:
        # Not layers.Rescaling, which needs TensorFlow on every backend.
        return ops.clip(255.0 * inputs, 0.0, 1.0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)
