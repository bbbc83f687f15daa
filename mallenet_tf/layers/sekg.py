"""Spatially enhanced kernel generation and its dynamic convolution (adfnet.txt, Figs. 1, 3, 4)."""

import keras
from keras import layers, ops

from mallenet_tf.layers.per_pixel import apply_per_pixel


@keras.saving.register_keras_serializable("mallenet_tf")
class SEKG(layers.Layer):
    """Kernels for every pixel and channel from a pixel's surroundings and the channels' averages.

    A depthwise 3x3 convolution sees the surroundings; a convolution over three neighbouring
    channels of the features' global average, as in ECA-Net (Wang et al. 2020), the channels. Their
    sum goes through a 1x1 convolution.

    Source: adfnet.txt, "Spatially Enhanced Kernel Generation", Fig. 3 (a).

    Args:
        channels: of the features that the kernels are for; None for as many as the input has.
        kernel_size: K, the side of the kernels.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1.

    Output shape:
        `[N, H, W, K * K, channels]`, as `apply_per_pixel` takes them.

    Raises:
        ValueError: if `kernel_size` is even or below 1.

    Example:
        >>> SEKG(8)(keras.ops.ones((1, 32, 32, 16))).shape
        TensorShape([1, 32, 32, 9, 8])
    """

    def __init__(self, channels: int | None = None, kernel_size: int = 3, **kwargs):
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd. Received: kernel_size={kernel_size}")
        self.channels = channels
        self.kernel_size = kernel_size

    def build(self, input_shape):
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

    def call(self, inputs):
        # In float32: sums over a whole image leave the range of float16.
        average = ops.mean(ops.cast(inputs, "float32"), axis=(1, 2))
        mixed = self.channel(ops.cast(average, self.compute_dtype)[..., None])
        features = self.spatial(inputs) + mixed[:, None, None, :, 0]
        _, height, width, channels = ops.shape(inputs)
        shape = (-1, height, width, self.kernel_size**2, self.channels or channels)
        return ops.reshape(self.kernels(features), shape)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.kernel_size**2, self.channels or input_shape[-1])

    def get_config(self):
        config = {"channels": self.channels, "kernel_size": self.kernel_size}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("mallenet_tf")
class PerPixelConv(layers.Layer):
    """Depthwise convolution with given kernels, `apply_per_pixel` as a layer.

    Args:
        dilation: distance of the taps, in pixels.

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

    def __init__(self, dilation: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.dilation = dilation

    def call(self, inputs, kernels):
        return apply_per_pixel(inputs, kernels, self.dilation)

    def compute_output_shape(self, inputs_shape, kernels_shape):
        return tuple(inputs_shape)

    def get_config(self):
        return {**super().get_config(), "dilation": self.dilation}


@keras.saving.register_keras_serializable("mallenet_tf")
class DynamicConv(layers.Layer):
    """ADFNet's dynamic convolution: depthwise, with SEKG's kernels from the features themselves.

    Source: adfnet.txt, "Dynamic Convolution (DConv)", Fig. 3 (a).

    Args:
        kernel_size: K.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1.

    Output shape:
        The same.

    Raises:
        ValueError: if `kernel_size` is even or below 1.

    Example:
        >>> DynamicConv()(keras.ops.ones((1, 32, 32, 16))).shape
        TensorShape([1, 32, 32, 16])
    """

    def __init__(self, kernel_size: int = 3, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.sekg = SEKG(kernel_size=kernel_size, dtype=self.dtype_policy, name="sekg")

    def build(self, input_shape):
        self.sekg.build(input_shape)

    @property
    def receptive_field_radius(self) -> int:
        """How far, in pixels to one side, an input pixel can reach."""
        return self.kernel_size // 2

    def call(self, inputs):
        return apply_per_pixel(inputs, self.sekg(inputs))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}
