"""Spatially enhanced kernel generation and its dynamic convolution (adfnet.txt, Figs. 1, 3, 4)."""

from typing import Any

import keras
from keras import layers, ops

from mallenet_tf.common.types import Shape, Tensor
from mallenet_tf.layers.per_pixel import apply_per_pixel


@keras.saving.register_keras_serializable("mallenet_tf")
class SEKG(layers.Layer):
    """Predicts kernels for every pixel and channel from local and global features.

    A depthwise 3x3 convolution covers a pixel's surroundings. A convolution over three adjacent
    channels of the global average, as in ECA-Net (Wang et al. 2020), covers the channels. Their sum
    passes through a 1x1 convolution.

    Source: adfnet.txt, "Spatially Enhanced Kernel Generation", Fig. 3 (a).

    Args:
        channels: Number of channels to predict kernels for; None for that of the input.
        kernel_size: K, side of the kernels.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1.

    Output shape:
        `[N, H, W, K * K, channels]`, for `apply_per_pixel`.

    Raises:
        ValueError: If `kernel_size` is even or below 1.

    Example:
        >>> SEKG(8)(keras.ops.ones((1, 32, 32, 16))).shape
        TensorShape([1, 32, 32, 9, 8])
    """

    def __init__(self, channels: int | None = None, kernel_size: int = 3, **kwargs: Any):
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd. Received: kernel_size={kernel_size}")
        self.channels = channels
        self.kernel_size = kernel_size

    def build(self, input_shape: Shape) -> None:
        channels, policy = input_shape[-1], self.dtype_policy
        self.spatial = layers.DepthwiseConv2D(3, padding="same", dtype=policy, name="spatial")
        self.spatial.build(input_shape)
        self.channel = layers.Conv1D(
            1, 3, padding="same", use_bias=False, dtype=policy, name="channel"
        )
        self.channel.build((input_shape[0], channels, 1))
        taps = self.kernel_size**2 * (self.channels or channels)
        self.kernels = layers.Conv2D(taps, 1, dtype=policy, name="kernels")
        self.kernels.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        # In float32: sums over a whole image overflow float16.
        average = ops.mean(ops.cast(inputs, "float32"), axis=(1, 2))
        mixed = self.channel(ops.cast(average, self.compute_dtype)[..., None])
        features = self.spatial(inputs) + mixed[:, None, None, :, 0]
        _, height, width, channels = ops.shape(inputs)
        shape = (-1, height, width, self.kernel_size**2, self.channels or channels)
        return ops.reshape(self.kernels(features), shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.kernel_size**2, self.channels or input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        config = {"channels": self.channels, "kernel_size": self.kernel_size}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("mallenet_tf")
class PerPixelConv(layers.Layer):
    """Applies given per-pixel kernels: `apply_per_pixel` as a layer.

    Args:
        dilation: Distance between taps, in pixels.

    Call arguments:
        inputs: `[N, H, W, C]`.
        kernels: `[N, H, W, K * K, G]`; G divides C.

    Output shape:
        `[N, H, W, C]`.

    Example:
        >>> features = keras.ops.ones((1, 32, 32, 16))
        >>> PerPixelConv(dilation=3)(features, SEKG()(features)).shape
        TensorShape([1, 32, 32, 16])
    """

    def __init__(self, dilation: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.dilation = dilation

    def call(self, inputs: Tensor, kernels: Tensor) -> Tensor:
        return apply_per_pixel(inputs, kernels, self.dilation)

    def compute_output_shape(self, inputs_shape: Shape, kernels_shape: Shape) -> Shape:
        return tuple(inputs_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dilation": self.dilation}


@keras.saving.register_keras_serializable("mallenet_tf")
class DynamicConv(layers.Layer):
    """ADFNet's dynamic convolution: depthwise, with kernels that `SEKG` predicts from the inputs.

    Source: adfnet.txt, "Dynamic Convolution (DConv)", Fig. 3 (a).

    Args:
        kernel_size: K, side of the kernels.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1.

    Output shape:
        The same.

    Raises:
        ValueError: If `kernel_size` is even or below 1.

    Example:
        >>> DynamicConv()(keras.ops.ones((1, 32, 32, 16))).shape
        TensorShape([1, 32, 32, 16])
    """

    def __init__(self, kernel_size: int = 3, **kwargs: Any):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.sekg = SEKG(kernel_size=kernel_size, dtype=self.dtype_policy, name="sekg")

    def build(self, input_shape: Shape) -> None:
        self.sekg.build(input_shape)

    @property
    def receptive_field_radius(self) -> int:
        """Pixels to one side that can influence an output pixel."""
        return self.kernel_size // 2

    def call(self, inputs: Tensor) -> Tensor:
        return apply_per_pixel(inputs, self.sekg(inputs))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kernel_size": self.kernel_size}
