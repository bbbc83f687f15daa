"""Lossless downsampling for the image pyramid (malleconv.txt, section 3.4)."""

from typing import Any

import keras
from keras import ops

from mallenet_tf.common.types import Shape, Tensor


@keras.saving.register_keras_serializable("mallenet_tf")
class SpaceToDepth(keras.layers.Layer):
    """Moves each block of `factor` x `factor` pixels into the channels.

    Args:
        factor: Side of a block.

    Input shape:
        `[N, H, W, C]`; H and W must be multiples of `factor`.

    Output shape:
        `[N, H / factor, W / factor, factor**2 * C]`, with channels in the order of
        `tf.nn.space_to_depth`.

    Raises:
        ValueError: If a known height or width is not a multiple of `factor`.

    Example:
        >>> SpaceToDepth(2)(keras.ops.ones((1, 8, 6, 3))).shape
        TensorShape([1, 4, 3, 12])
    """

    def __init__(self, factor: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs: Tensor) -> Tensor:
        factor = self.factor
        self.compute_output_shape(inputs.shape)
        _, height, width, channels = ops.shape(inputs)
        blocks = ops.reshape(
            inputs, (-1, height // factor, factor, width // factor, factor, channels)
        )
        return ops.reshape(
            ops.transpose(blocks, (0, 1, 3, 2, 4, 5)),
            (-1, height // factor, width // factor, factor * factor * channels),
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        for size in (height, width):
            if size is not None and size % self.factor:
                raise ValueError(
                    f"Height and width must be multiples of {self.factor}; pad the image first. "
                    f"Received: shape={tuple(input_shape)}"
                )
        height = None if height is None else height // self.factor
        width = None if width is None else width // self.factor
        return (batch, height, width, self.factor**2 * channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}
