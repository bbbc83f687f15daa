"""Attention along channels, rows and columns (adfnet.txt, equation 4)."""

from typing import Any

import keras
from keras import layers, ops

from mallenet_tf.common.types import Shape, Tensor

AVERAGES = ("code", "paper", "mixed")


@keras.saving.register_keras_serializable("mallenet_tf")
class MultiDimensionAttention(layers.Layer):
    """Weights features by their averages over an image, over its rows and over its columns.

    The first weights calibrate the input, y = x * a(x); the result is y + y * b + y * c. The layer
    has no weights to train.

    Source: adfnet.txt, equation 4 and the sum in equation 5. The authors' code differs from them.

    Args:
        averages: Which averages the weights are computed from.
            "code": a of each channel's average, then b and c of the averages of y over each row and
            each column; weights are 2 * sigmoid, which is 1 for an average of 0.
            "paper": all of averages of x, as equation 4 prints: along the channels, which gives "a
            spatial attention map", along the rows and along the columns; weights are sigmoids,
            "ranging from 0 to 1".
            "mixed": as "code", but of averages of x; what files before December 2026 hold.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1.

    Output shape:
        The same.

    Raises:
        ValueError: If `averages` is unknown.

    Example:
        >>> MultiDimensionAttention()(keras.ops.ones((1, 32, 32, 16))).shape
        TensorShape([1, 32, 32, 16])
    """

    def __init__(self, averages: str = "code", **kwargs: Any):
        super().__init__(**kwargs)
        if averages not in AVERAGES:
            raise ValueError(f"averages must be one of {AVERAGES}. Received: averages={averages!r}")
        self.averages = averages

    def call(self, inputs: Tensor) -> Tensor:
        if self.averages == "paper":
            first, second, third = (_attention(inputs, axis, 1.0) for axis in (3, 2, 1))
            return inputs * first * (1.0 + second + third)
        calibrated = inputs * _attention(inputs, (1, 2))
        averaged = calibrated if self.averages == "code" else inputs
        rows, columns = _attention(averaged, (2, 3)), _attention(averaged, (1, 3))
        return calibrated * (1.0 + rows + columns)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "averages": self.averages}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MultiDimensionAttention":
        return cls(**{"averages": "mixed", **config})


def _attention(features: Tensor, axes: int | tuple[int, int], scale: float = 2.0) -> Tensor:
    # In float32: sums over a whole image overflow float16.
    average = ops.mean(ops.cast(features, "float32"), axis=axes, keepdims=True)
    return ops.cast(scale * ops.sigmoid(average), features.dtype)
