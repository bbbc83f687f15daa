"""Networks for web/, which denoises in the browser: ONNX files of small size, for padded tiles.

Unlike the ONNX files for servers these leave padding, tiles and clipping to the program, as
`inference.Denoiser` does, so that an image of any size takes bounded memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from mallenet_tf.exporting.onnx_file import convert_function
from mallenet_tf.exporting.standard_ops import StandardMalleConv, with_standard_ops
from mallenet_tf.models import DenoisingModel
from mallenet_tf.models.folding import fold_normalization

if TYPE_CHECKING:
    import onnx

# Smaller constants stay float32: biases and slopes, and shapes.
SMALLEST_HALVED = 64


def convert_for_browser(model: DenoisingModel) -> bytes:
    """Converts a network to the bytes of an ONNX file with float16 weights and float32 arithmetic.

    Inputs of the file:
        noisy: float32 [1, H, W, C], what the network takes: the image in [0, 1] and the noise level
            map. H and W are multiples of the network's `padding_multiple`.
        place: float32 [2], (y, x) from 0 to 1, a place whose predicted kernels are used everywhere
            (Fig. 11 of the paper); negative for each pixel's own.

    Its output `denoised` is float32 [1, H, W, image_channels], not clipped.

    Raises:
        UserError: If tf2onnx is not installed.
    """
    network = with_standard_ops(fold_normalization(model, implementation="reference"))
    malleable = [layer for layer in network.layers if isinstance(layer, StandardMalleConv)]
    channels = model.frames * model.image_channels + int(model.noise_conditioned)

    def denoise(noisy: tf.Tensor, place: tf.Tensor) -> dict[str, tf.Tensor]:
        for layer in malleable:
            layer.place = place
        return {"denoised": network(noisy, training=False)}

    signature = [
        tf.TensorSpec([1, None, None, channels], tf.float32, name="noisy"),
        tf.TensorSpec([2], tf.float32, name="place"),
    ]
    content = convert_function(tf.function(denoise, input_signature=signature))
    _halve_weights(content.graph)
    return content.SerializeToString()


def _halve_weights(graph: onnx.GraphProto) -> None:
    """Stores weights as float16, in place. Runtimes convert them back once, when they load them."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for constant in graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype == np.float32 and values.size >= SMALLEST_HALVED:
            name, half = constant.name, f"{constant.name}_half"
            constant.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
            casts.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
