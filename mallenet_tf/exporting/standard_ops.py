"""Networks rewritten with TensorFlow's standard operations, which every converter knows.

The reference implementations run on any Keras backend at any size, with index arithmetic that
TFLite lacks. These layers compute the same with the operations that runtimes and accelerators have
kernels for.
"""

from typing import Any

import keras
import tensorflow as tf

from mallenet_tf.layers import BilinearUpsample, MalleConv, SpaceToDepth
from mallenet_tf.models import DenoisingModel

Tensor = Any


def with_standard_ops(model: DenoisingModel) -> keras.Model:
    """Copies a network without native operations, for images of any size.

    Args:
        model: Network on Keras's TensorFlow backend.

    Returns:
        A Keras model with the same inputs, outputs and weights; nothing is shared with `model`.
    """
    copy = keras.models.clone_model(model, clone_function=_standard_layer)
    copy.set_weights(model.get_weights())
    return copy


class StandardMalleConv(MalleConv):
    """MalleConv of standard operations.

    Attributes:
        place: Tensor (y, x) from 0 to 1, the place whose kernels are used everywhere, which a graph
            may take as an input: `MalleConv.position`, but negative for none. None for none ever.
    """

    place: Tensor | None = None

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        kernels, bias = self.predictor(inputs, training=training)
        if self.place is not None:
            kernels, bias = _at_place(kernels, self.place), _at_place(bias, self.place)
        if self.residual:
            kernels = kernels + self._identity
        return slice_by_resizing(inputs, kernels, bias)


class _BilinearUpsample(BilinearUpsample):
    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return tf.image.resize(inputs, 2 * tf.shape(inputs)[1:3])


class _SpaceToDepth(SpaceToDepth):
    def call(self, inputs: Tensor) -> Tensor:
        return tf.nn.space_to_depth(inputs, self.factor)


_STANDARD: dict[type, Any] = {
    MalleConv: StandardMalleConv,
    BilinearUpsample: _BilinearUpsample,
    SpaceToDepth: _SpaceToDepth,
}


def _standard_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    config = layer.get_config()
    if "implementation" in config:  # of a fused op
        config["implementation"] = "reference"
    return _STANDARD.get(type(layer), type(layer)).from_config(config)


def _at_place(grid: Tensor, place: Tensor) -> Tensor:
    """Repeats the cell at a place: `[N, h, w, ...]` to the same shape; unchanged if negative."""
    for axis in (1, 2):
        cells = tf.shape(grid)[axis]
        share = place[axis - 1]
        index = tf.minimum(tf.cast(share * tf.cast(cells, tf.float32), tf.int32), cells - 1)
        grid = tf.gather(grid, tf.where(share < 0, tf.range(cells), index), axis=axis)
    return grid


def slice_by_resizing(features: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    """Computes `ops.malleable_slice` by `tf.image.resize`, tap after tap.

    Args:
        features: float32 [N, H, W, C].
        kernels: float32 [N, h, w, K*K, C].
        bias: float32 [N, h, w, C].

    Returns:
        float32 [N, H, W, C].
    """
    size = tf.shape(features)[1:3]
    side = round(kernels.shape[3] ** 0.5)
    radius = side // 2
    padded = tf.pad(features, [[0, 0], [radius, radius], [radius, radius], [0, 0]])
    output = tf.image.resize(bias, size)
    for tap in range(side * side):
        y, x = divmod(tap, side)
        neighbor = padded[:, y : y + size[0], x : x + size[1]]
        output += neighbor * tf.image.resize(kernels[:, :, :, tap], size)
    return output
