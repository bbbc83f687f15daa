"""CARAFE, content-aware reassembly of features (Wang et al., ICCV 2019)."""

from typing import Any

import keras
from keras import layers, ops

from mallenet_tf.common.types import Shape, Tensor
from mallenet_tf.layers.per_pixel import apply_per_pixel


@keras.saving.register_keras_serializable("mallenet_tf")
class Carafe(layers.Layer):
    """Upsamples with a softmax-normalized kernel per output pixel, shared by all channels.

    With `scale` 1 it reassembles features without changing their size.

    Source: Wang et al. 2019, section 3.2, equations 2 to 4; cited by malleconv.txt among dynamic
    filters.

    Args:
        scale: Ratio of the output's side to the input's.
        kernel_size: k_up, side of the neighborhood that contributes to an output pixel.
        encoder_size: k_encoder, side of the convolution that predicts the kernels.
        compressed: C_m, number of channels that the prediction uses.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1.

    Output shape:
        `[N, scale * H, scale * W, C]`.

    Raises:
        ValueError: If `kernel_size` is even or a size is below 1.

    Example:
        >>> Carafe()(keras.ops.ones((1, 8, 8, 16))).shape
        TensorShape([1, 16, 16, 16])
    """

    def __init__(
        self,
        scale: int = 2,
        kernel_size: int = 5,
        encoder_size: int = 3,
        compressed: int = 64,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if min(scale, kernel_size, encoder_size, compressed) < 1 or kernel_size % 2 == 0:
            raise ValueError(
                "Sizes must be at least 1 and kernel_size odd. Received: "
                f"scale={scale}, kernel_size={kernel_size}, encoder_size={encoder_size}, "
                f"compressed={compressed}"
            )
        self.scale = scale
        self.kernel_size = kernel_size
        self.encoder_size = encoder_size
        self.compressed = compressed

    def build(self, input_shape: Shape) -> None:
        policy = self.dtype_policy
        self.compress = layers.Conv2D(self.compressed, 1, dtype=policy, name="compress")
        self.compress.build(input_shape)
        taps = self.scale**2 * self.kernel_size**2
        self.encode = layers.Conv2D(
            taps, self.encoder_size, padding="same", dtype=policy, name="encode"
        )
        self.encode.build((*input_shape[:-1], self.compressed))

    @property
    def receptive_field_radius(self) -> int:
        """Pixels to one side that can influence an output pixel."""
        return max(self.encoder_size // 2, self.kernel_size // 2)

    def call(self, inputs: Tensor) -> Tensor:
        scale, taps = self.scale, self.kernel_size**2
        _, height, width, _ = ops.shape(inputs)
        kernels = self.encode(self.compress(inputs))
        kernels = ops.reshape(kernels, (-1, height, width, scale, scale, taps))
        kernels = ops.transpose(kernels, (0, 1, 3, 2, 4, 5))
        kernels = ops.reshape(kernels, (-1, scale * height, scale * width, taps))
        # An output pixel uses the neighborhood of the input pixel that it covers.
        repeated = ops.repeat(ops.repeat(inputs, scale, axis=1), scale, axis=2)
        return apply_per_pixel(repeated, ops.softmax(kernels)[..., None], dilation=scale)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        return batch, _times(self.scale, height), _times(self.scale, width), channels

    def get_config(self) -> dict[str, Any]:
        config = {
            "scale": self.scale,
            "kernel_size": self.kernel_size,
            "encoder_size": self.encoder_size,
            "compressed": self.compressed,
        }
        return {**super().get_config(), **config}


def _times(scale: int, size: int | None) -> int | None:
    return None if size is None else scale * size
