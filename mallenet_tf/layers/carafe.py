"""CARAFE, content-aware reassembly of features (Wang et al., ICCV 2019)."""

import keras
from keras import layers, ops

from mallenet_tf.layers.per_pixel import apply_per_pixel


@keras.saving.register_keras_serializable("mallenet_tf")
class Carafe(layers.Layer):
    """Upsampling with a softmax-normalised kernel for every output pixel, shared by all channels.

    Source: Wang et al. 2019, section 3.2, equations 2 to 4; cited by malleconv.txt among dynamic
    filters. With `scale` 1 it reassembles features without changing their size.

    Args:
        scale: ratio of the output's side to the input's.
        kernel_size: k_up, the side of the neighbourhood that an output pixel is made of.
        encoder_size: k_encoder, the side of the convolution that predicts the kernels.
        compressed: C_m, channels that the prediction sees.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1.

    Output shape:
        `[N, scale * H, scale * W, C]`.

    Raises:
        ValueError: if `kernel_size` is even, or a size is below 1.

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
        **kwargs,
    ):
        super().__init__(**kwargs)
        if min(scale, kernel_size, encoder_size, compressed) < 1 or kernel_size % 2 == 0:
            raise ValueError(
                "Sizes must be at least 1, kernel_size odd. Received: "
                f"scale={scale}, kernel_size={kernel_size}, encoder_size={encoder_size}, "
                f"compressed={compressed}"
            )
        self.scale = scale
        self.kernel_size = kernel_size
        self.encoder_size = encoder_size
        self.compressed = compressed

    def build(self, input_shape):
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
        """How far, in pixels to one side, an input pixel can reach."""
        return max(self.encoder_size // 2, self.kernel_size // 2)

    def call(self, inputs):
        scale, taps = self.scale, self.kernel_size**2
        _, height, width, _ = ops.shape(inputs)
        kernels = self.encode(self.compress(inputs))
        kernels = ops.reshape(kernels, (-1, height, width, scale, scale, taps))
        kernels = ops.transpose(kernels, (0, 1, 3, 2, 4, 5))
        kernels = ops.reshape(kernels, (-1, scale * height, scale * width, taps))
        # An output pixel's neighbourhood is that of the input pixel under it.
        repeated = ops.repeat(ops.repeat(inputs, scale, axis=1), scale, axis=2)
        return apply_per_pixel(repeated, ops.softmax(kernels)[..., None], dilation=scale)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, _times(self.scale, height), _times(self.scale, width), channels

    def get_config(self):
        config = {
            "scale": self.scale,
            "kernel_size": self.kernel_size,
            "encoder_size": self.encoder_size,
            "compressed": self.compressed,
        }
        return {**super().get_config(), **config}


def _times(scale: int, size: int | None) -> int | None:
    return None if size is None else scale * size
