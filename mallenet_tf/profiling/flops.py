"""Counts the multiply-adds in a network's TensorFlow graph."""

from math import prod

import keras
import tensorflow as tf

from mallenet_tf.layers.per_pixel import PRODUCTS


def count_parameters(model: keras.Model) -> int:
    """Counts the trainable values."""
    return sum(prod(variable.shape) for variable in model.trainable_variables)


def count_multiply_adds(model: keras.Model, height: int = 256, width: int = 256) -> int:
    """Counts the multiply-adds of inference on one image; papers quote once or twice this as FLOPs.

    Convolutions, matrix products, the fused slice (its K * K products per value, as in
    malleconv.txt, equation 2) and per-pixel kernels (likewise) count. Additions, activations,
    pooling and interpolation do not, as is customary.

    Args:
        model: Model with one input `[N, H, W, C]`.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
    """
    channels = model.inputs[0].shape[-1]
    spec = tf.TensorSpec((1, height, width, channels), model.inputs[0].dtype)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec).graph
    return _count(graph)


def _count(graph: tf.Graph) -> int:
    total = 0
    for operation in graph.get_operations():
        total += _multiply_adds(operation)
        if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            # Keras compiles a grouped convolution as a function of its own. TensorFlow has no
            # public way to get from a call to the graph of the function.
            total += _count(graph._get_function(operation.get_attr("f").name).graph)
    return total


def _multiply_adds(operation: tf.Operation) -> int:
    if not operation.outputs:
        return 0
    outputs = operation.outputs[0].shape
    if operation.type == "Conv2D":
        kernel = operation.inputs[1].shape  # height, width, channels in a group, channels out
        return outputs.num_elements() * prod(kernel[:3])
    if operation.type == "Conv2DBackpropInput":
        kernel = operation.inputs[1].shape  # a transposed convolution: one product per input value
        return operation.inputs[2].shape.num_elements() * prod(kernel[:3])
    if operation.type == "DepthwiseConv2dNative":
        return outputs.num_elements() * prod(operation.inputs[1].shape[:2])
    if operation.type in ("MatMul", "BatchMatMulV2"):
        transposed = operation.type == "MatMul" and operation.get_attr("transpose_a")
        return outputs.num_elements() * operation.inputs[0].shape[-2 if transposed else -1]
    if operation.type == "InvertedBottleneck":
        channels, inner = operation.inputs[1].shape[2:]
        return outputs.num_elements() // channels * inner * (2 * channels + 9)
    if operation.type == "MalleableSlice":
        return outputs.num_elements() * operation.inputs[1].shape[3]
    if operation.type == "Mul" and PRODUCTS in operation.name:
        return outputs.num_elements()
    return 0
