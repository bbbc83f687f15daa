"""Involution (Li et al., CVPR 2021), a dynamic filter that malleconv.txt compares with."""

from typing import Any

import keras
from keras import layers, ops

from mallenet_tf.common.types import Shape, Tensor
from mallenet_tf.layers.blocks import convolution, normalization_layer
from mallenet_tf.layers.per_pixel import apply_per_pixel


@keras.saving.register_keras_serializable("mallenet_tf")
class Involution(layers.Layer):
    """Filters each pixel with a K x K kernel predicted from that pixel alone.

    Two 1x1 convolutions with a ReLU between them map a pixel's C features to its K * K * G
    weights; C / G channels share a kernel.

    Source: Li et al. 2021, "Involution: Inverting the Inherence of Convolution for Visual
    Recognition", equations 4 and 6 and algorithm 1; malleconv.txt, section 4.1 and Fig. 4.

    Args:
        kernel_size: K, side of the kernels; 7 in the paper's networks.
        group_channels: Number of channels that share a kernel; 16 in the paper. Inputs with fewer
            channels form one group.
        reduction: Ratio r of the input's channels to those between the two convolutions; 4 in the
            paper.
        residual: Whether to add the inputs, as in `MalleConv`.
        normalization: None, or "batch" after the first convolution, as in the paper.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1; `group_channels` divides C.

    Output shape:
        The same.

    Raises:
        ValueError: If `kernel_size` is even or below 1, or `group_channels` does not divide C.

    Example:
        >>> Involution()(keras.ops.ones((1, 32, 32, 16))).shape
        TensorShape([1, 32, 32, 16])
    """

    def __init__(
        self,
        kernel_size: int = 7,
        group_channels: int = 16,
        reduction: int = 4,
        residual: bool = True,
        normalization: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd. Received: kernel_size={kernel_size}")
        self.kernel_size = kernel_size
        self.group_channels = group_channels
        self.reduction = reduction
        self.residual = residual
        self.normalization = normalization

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        groups = max(1, channels // self.group_channels)
        if channels % groups or channels // groups > self.group_channels:
            raise ValueError(
                "group_channels must divide the input's channels. "
                f"Received: group_channels={self.group_channels}, {channels} channels"
            )
        width, policy = max(1, channels // self.reduction), self.dtype_policy
        self.reduce = convolution(width, 1, "reduce", dtype=policy)
        self.reduce.build(input_shape)
        reduced = (*input_shape[:-1], width)
        self.norm = normalization_layer(self.normalization, "reduce_norm", dtype=policy)
        if self.norm is not None:
            self.norm.build(reduced)
        self.span = layers.Conv2D(self.kernel_size**2 * groups, 1, dtype=policy, name="span")
        self.span.build(reduced)
        self.groups = groups

    @property
    def receptive_field_radius(self) -> int:
        """Pixels to one side that can influence an output pixel."""
        return self.kernel_size // 2

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        reduced = self.reduce(inputs)
        if self.norm is not None:
            reduced = self.norm(reduced, training=training)
        kernels = self.span(ops.relu(reduced))
        _, height, width, _ = ops.shape(inputs)
        kernels = ops.reshape(kernels, (-1, height, width, self.kernel_size**2, self.groups))
        filtered = apply_per_pixel(inputs, kernels)
        return inputs + filtered if self.residual else filtered

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = {
            "kernel_size": self.kernel_size,
            "group_channels": self.group_channels,
            "reduction": self.reduction,
            "residual": self.residual,
            "normalization": self.normalization,
        }
        return {**super().get_config(), **config}
