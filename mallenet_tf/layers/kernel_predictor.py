"""The predictor network of MalleConv (malleconv.txt, section 3.2)."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from mallenet_tf.common.types import Shape, Tensor
from mallenet_tf.layers.blocks import ResidualBlock, convolution

# Soft bound of predicted kernels and biases. Kernels multiply features that predict the next
# level's kernels, so that without a bound a network without normalization can diverge at once (seen
# after 1,800 steps at 2e-3). The authors' code clips the slice's output for the same reason.
TAP_LIMIT = 2.0


def soft_bound(values: Tensor, limit: float | None) -> Tensor:
    """Keeps values within a limit, by a tanh that is the identity around 0; None for no limit."""
    return values if limit is None else limit * ops.tanh(values / limit)


@keras.saving.register_keras_serializable("mallenet_tf")
class KernelPredictor(layers.Layer):
    """Predicts low-resolution kernels and biases from features.

    The layers are average pooling, a 3x3 convolution, residual blocks, 2x max pooling, residual
    blocks and a 1x1 convolution. With `pool_size` 4 the kernels have one eighth of the features'
    resolution.

    Args:
        kernel_size: K, side of each predicted depthwise kernel.
        pool_size: Side of the average pooling at the input; 1 for none.
        blocks: Number of residual blocks before, and again after, the max pooling; a pair for
            different numbers.
        width: Number of channels in the predictor; None for that of the features.
        normalization: None, or "batch".
        tap_limit: Soft bound of kernels and biases; None for none, as the paper's text reads.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1. On Keras's PyTorch backend, use multiples of
        `pool_size`: that backend pads an incomplete last block with copies of the edge.

    Output shape:
        Two tensors: kernels `[N, h, w, K * K, C]` and bias `[N, h, w, C]`, with
        `h = ceil(ceil(H / pool_size) / 2)` and w likewise; all values within `tap_limit`.

    Raises:
        ValueError: If `kernel_size` is even or a size is below 1.

    Example:
        >>> kernels, bias = KernelPredictor(kernel_size=3)(keras.ops.ones((1, 64, 64, 16)))
        >>> kernels.shape
        TensorShape([1, 8, 8, 9, 16])
    """

    def __init__(
        self,
        kernel_size: int = 1,
        pool_size: int = 4,
        blocks: int | Sequence[int] = 3,
        width: int | None = None,
        normalization: str | None = None,
        tap_limit: float | None = TAP_LIMIT,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd. Received: kernel_size={kernel_size}")
        if pool_size < 1:
            raise ValueError(f"pool_size must be at least 1. Received: pool_size={pool_size}")
        self.kernel_size = kernel_size
        self.pool_size = pool_size
        self.blocks = blocks
        self.fine, self.coarse = (blocks, blocks) if isinstance(blocks, int) else blocks
        self.width = width
        self.normalization = normalization
        self.tap_limit = tap_limit

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        width, policy = self.width or channels, self.dtype_policy
        self.stack = []
        if self.pool_size > 1:
            pool = layers.AveragePooling2D(self.pool_size, padding="same", dtype=policy)
            self.stack.append(pool)
        stem = convolution(width, 3, "stem", dtype=policy)
        self.stack.append(stem)
        self.stack.append(layers.PReLU(shared_axes=[1, 2], dtype=policy, name="stem_prelu"))
        self.stack += self._blocks(self.fine, width, "fine")
        self.stack.append(layers.MaxPooling2D(2, padding="same", dtype=policy))
        self.stack += self._blocks(self.coarse, width, "coarse")
        # Small but not zero: the branch starts near the identity and trains from the first step.
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

    def _blocks(self, count: int, width: int, name: str) -> list[ResidualBlock]:
        return [
            ResidualBlock(
                width, self.normalization, dtype=self.dtype_policy, name=f"{name}_{index}"
            )
            for index in range(count)
        ]

    def call(self, inputs: Tensor, training: bool | None = None) -> tuple[Tensor, Tensor]:
        features = inputs
        for layer in self.stack:
            if isinstance(layer, ResidualBlock):
                features = layer(features, training=training)
            else:
                features = layer(features)
        channels = inputs.shape[-1]
        _, height, width, _ = ops.shape(features)
        features = soft_bound(features, self.tap_limit)
        taps = ops.reshape(features, (-1, height, width, self.kernel_size**2 + 1, channels))
        return taps[..., :-1, :], taps[..., -1, :]

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        batch, height, width, channels = input_shape
        height, width = self._grid_size(height), self._grid_size(width)
        kernels = (batch, height, width, self.kernel_size**2, channels)
        return kernels, (batch, height, width, channels)

    @property
    def receptive_field_radius(self) -> int:
        """Pixels to one side that can influence an interpolated kernel."""
        fine = 1 + 2 * self.fine  # 3x3 convolutions before the max pooling
        coarse = 2 * self.coarse + 2  # those after it, the pooling and the interpolation
        return self.pool_size * (fine + 2 * coarse)

    def _grid_size(self, size: int | None) -> int | None:
        """Returns the number of kernels along `size` features."""
        return None if size is None else math.ceil(math.ceil(size / self.pool_size) / 2)

    def get_config(self) -> dict[str, Any]:
        config = {
            "kernel_size": self.kernel_size,
            "pool_size": self.pool_size,
            "blocks": self.blocks,
            "width": self.width,
            "normalization": self.normalization,
            "tap_limit": self.tap_limit,
        }
        return {**super().get_config(), **config}
