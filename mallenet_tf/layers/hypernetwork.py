"""Per-pixel kernel prediction, the "HyperNetwork" of malleconv.txt's comparisons."""

from typing import Any

import keras
from keras import layers, ops

from mallenet_tf.common.types import Shape, Tensor
from mallenet_tf.layers.blocks import ResidualBlock, convolution
from mallenet_tf.layers.kernel_predictor import TAP_LIMIT, soft_bound
from mallenet_tf.layers.per_pixel import apply_per_pixel


@keras.saving.register_keras_serializable("mallenet_tf")
class HyperNetwork(layers.Layer):
    """Depthwise convolution with a kernel and a bias predicted for every pixel.

    This is MalleConv without its low-resolution grid: the predictor (a 3x3 convolution, residual
    blocks and a 1x1 convolution) runs at full resolution, and nothing is interpolated.

    Source: malleconv.txt, sections 4.1 and 4.5, Figs. 4 and 10, after Ha et al. 2016 and dynamic
    filter networks (Jia et al. 2016). Section 4.5 removes "the downsampling and maxpooling layers"
    of MalleConv's predictor and nothing else, so that the six residual blocks of its two halves
    follow each other here.

    Args:
        kernel_size: K, side of the depthwise kernels.
        blocks: Number of residual blocks of the predictor.
        width: Number of channels in the predictor; None for that of the features.
        residual: Whether to add the inputs, as in `MalleConv`.
        tap_limit: Soft bound of kernels and biases, as in `MalleConv`; None for none.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1.

    Output shape:
        The same.

    Raises:
        ValueError: If `kernel_size` is even or below 1.

    Example:
        >>> HyperNetwork(kernel_size=3)(keras.ops.ones((1, 32, 32, 16))).shape
        TensorShape([1, 32, 32, 16])
    """

    def __init__(
        self,
        kernel_size: int = 1,
        blocks: int = 6,
        width: int | None = None,
        residual: bool = True,
        tap_limit: float | None = TAP_LIMIT,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd. Received: kernel_size={kernel_size}")
        self.kernel_size = kernel_size
        self.blocks = blocks
        self.width = width
        self.residual = residual
        self.tap_limit = tap_limit

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        width, policy = self.width or channels, self.dtype_policy
        stem = convolution(width, 3, "stem", dtype=policy)
        self.stack = [stem, layers.PReLU(shared_axes=[1, 2], dtype=policy, name="stem_prelu")]
        self.stack += [
            ResidualBlock(width, dtype=policy, name=f"block_{index}")
            for index in range(self.blocks)
        ]
        small = keras.initializers.VarianceScaling(0.1)
        taps = self.kernel_size**2 + 1
        head = layers.Conv2D(
            taps * channels, 1, kernel_initializer=small, dtype=policy, name="taps"
        )
        self.stack.append(head)
        shape = input_shape
        for layer in self.stack:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    @property
    def receptive_field_radius(self) -> int:
        """Pixels to one side that can influence an output pixel."""
        return max(1 + 2 * self.blocks, self.kernel_size // 2)

    def call(self, inputs: Tensor) -> Tensor:
        features = inputs
        for layer in self.stack:
            features = layer(features)
        features = soft_bound(features, self.tap_limit)
        channels = inputs.shape[-1]
        _, height, width, _ = ops.shape(inputs)
        taps = ops.reshape(features, (-1, height, width, self.kernel_size**2 + 1, channels))
        filtered = apply_per_pixel(inputs, taps[..., :-1, :]) + taps[..., -1, :]
        return inputs + filtered if self.residual else filtered

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = {
            "kernel_size": self.kernel_size,
            "blocks": self.blocks,
            "width": self.width,
            "residual": self.residual,
            "tap_limit": self.tap_limit,
        }
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "HyperNetwork":
        return cls(**{"tap_limit": None, **config})  # files before December 2026 have no bound
