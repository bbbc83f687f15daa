"""Context-gated convolution (Lin et al., ECCV 2020), which malleconv.txt cites."""

from typing import Any

import keras
from keras import layers, ops

from mallenet_tf.common.types import Shape, Tensor
from mallenet_tf.layers.blocks import he_normal
from mallenet_tf.layers.per_pixel import neighbors


@keras.saving.register_keras_serializable("mallenet_tf")
class ContextGatedConv(layers.Layer):
    """Convolves with weights that are scaled by the image's context, the same at every pixel.

    The image's features are averaged over a K x K grid, encoded to `d = K * K // 2` values per
    channel, mixed between channels, and decoded to one gate for each weight.

    Source: Lin et al. 2020, section 3.2: context encoding, channel interacting and gate decoding
    modules, with their layer normalization of the encoded context and without their batch
    normalization.

    Args:
        kernel_size: K, side of the kernel.
        residual: Whether to add the inputs; False by default, since this is a full convolution.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1.

    Output shape:
        The same.

    Raises:
        ValueError: If `kernel_size` is even or below 3.

    Example:
        >>> ContextGatedConv()(keras.ops.ones((1, 32, 32, 16))).shape
        TensorShape([1, 32, 32, 16])
    """

    def __init__(self, kernel_size: int = 3, residual: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        if kernel_size < 3 or kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size must be odd and at least 3. Received: kernel_size={kernel_size}"
            )
        self.kernel_size = kernel_size
        self.residual = residual

    def build(self, input_shape: Shape) -> None:
        channels, taps, policy = input_shape[-1], self.kernel_size**2, self.dtype_policy
        # Gates start around one half.
        self.kernel = self.add_weight(
            shape=(taps * channels, channels), initializer=he_normal(4.0), name="kernel"
        )
        self.bias = self.add_weight(shape=(channels,), initializer="zeros", name="bias")
        self.encode = layers.Dense(taps // 2, use_bias=False, dtype=policy, name="encode")
        self.encode.build((None, channels, taps))
        self.norm = layers.LayerNormalization(dtype=policy, name="encode_norm")
        self.norm.build((None, channels, taps // 2))
        self.interact = layers.Dense(channels, use_bias=False, dtype=policy, name="interact")
        self.interact.build((None, taps // 2, channels))
        self.decode_inputs = layers.Dense(taps, dtype=policy, name="decode_inputs")
        self.decode_inputs.build((None, channels, taps // 2))
        self.decode_outputs = layers.Dense(
            taps, use_bias=False, dtype=policy, name="decode_outputs"
        )
        self.decode_outputs.build((None, channels, taps // 2))

    @property
    def receptive_field_radius(self) -> int:
        """Pixels to one side that can influence an output pixel."""
        return self.kernel_size // 2

    def call(self, inputs: Tensor) -> Tensor:
        size, channels = self.kernel_size, inputs.shape[-1]
        _, height, width, _ = ops.shape(inputs)
        weights = self._gates(inputs) * ops.reshape(
            ops.cast(self.kernel, inputs.dtype), (1, size * size, channels, channels)
        )
        convolved = ops.cast(self.bias, inputs.dtype)
        for tap, shifted in enumerate(neighbors(inputs, size)):
            flat = ops.reshape(shifted, (-1, height * width, channels))
            product = ops.matmul(flat, weights[:, tap])
            convolved = convolved + ops.reshape(product, (-1, height, width, channels))
        return inputs + convolved if self.residual else convolved

    def _gates(self, inputs: Tensor) -> Tensor:
        """Returns a factor in (0, 1) for each weight: `[N, K * K, C, C]`."""
        grid = _cell_averages(_cell_averages(inputs, 1, self.kernel_size), 2, self.kernel_size)
        context = ops.reshape(grid, (-1, self.kernel_size**2, inputs.shape[-1]))
        encoded = ops.relu(self.norm(self.encode(ops.transpose(context, (0, 2, 1)))))
        mixed = ops.transpose(self.interact(ops.transpose(encoded, (0, 2, 1))), (0, 2, 1))
        by_input = ops.transpose(self.decode_inputs(encoded), (0, 2, 1))[..., :, None]
        by_output = ops.transpose(self.decode_outputs(ops.relu(mixed)), (0, 2, 1))[..., None, :]
        return ops.sigmoid(by_input + by_output)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = {"kernel_size": self.kernel_size, "residual": self.residual}
        return {**super().get_config(), **config}


def _cell_averages(features: Tensor, axis: int, cells: int) -> Tensor:
    """Returns means over `cells` equal cells of an axis; cells share the pixels at their ends."""
    size = ops.cast(ops.shape(features)[axis], "float32")
    pixels = ops.arange(ops.shape(features)[axis], dtype="float32")[None, :]
    length = size / cells
    starts = length * ops.arange(cells, dtype="float32")[:, None]
    covered = ops.minimum(pixels + 1.0, starts + length) - ops.maximum(pixels, starts)
    share = ops.cast(ops.maximum(covered, 0.0) / length, features.dtype)
    equation = {1: "ph,nhwc->npwc", 2: "pw,nhwc->nhpc"}[axis]
    return ops.einsum(equation, share, features)
