"""One PRelu instead of the five operations that Keras's PReLU becomes.

Keras computes relu(x) - slope * relu(-x), and tf2onnx converts it operation by operation. Each of
the five reads and writes the whole tensor, which takes a quarter of MalleNet's time in browsers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import onnx


def fuse_prelu(graph: onnx.GraphProto) -> None:
    """Replaces every relu(x) - slope * relu(-x) with constant slopes by a PRelu, in place."""
    from onnx import numpy_helper

    makers = {output: node for node in graph.node for output in node.output}
    constants = {value.name: value for value in graph.initializer}
    for node in graph.node:
        for inputs, slope in _prelu_of(node, makers, constants):
            negated: np.ndarray = -numpy_helper.to_array(constants[slope])
            name = f"{slope}_prelu"
            if name not in constants:
                constants[name] = numpy_helper.from_array(negated, name)
                graph.initializer.append(constants[name])
            node.op_type = "PRelu"
            node.input[:] = [inputs, name]
    _remove_unused(graph)


def _prelu_of(
    node: onnx.NodeProto, makers: dict[str, onnx.NodeProto], constants: dict[str, onnx.TensorProto]
) -> Iterator[tuple[str, str]]:
    """Yields the input, and the name of the negated slope, of an Add that is a PReLU."""
    if node.op_type != "Add":
        return
    for positive, scaled in (node.input, node.input[::-1]):
        rectified, product = makers.get(positive), makers.get(scaled)
        if rectified is None or product is None or product.op_type != "Mul":
            continue
        for factor, slope in (product.input, product.input[::-1]):
            negative = makers.get(factor)
            if slope not in constants or negative is None or negative.op_type != "Relu":
                continue
            negation = makers.get(negative.input[0])
            if negation is None or negation.op_type != "Neg" or rectified.op_type != "Relu":
                continue
            if negation.input[0] == rectified.input[0]:
                yield rectified.input[0], slope
                return


def _remove_unused(graph: onnx.GraphProto) -> None:
    """Removes what no output depends on; nodes are in the order in which they run."""
    used = {output.name for output in graph.output}
    for index in reversed(range(len(graph.node))):
        node = graph.node[index]
        if used.isdisjoint(node.output):
            del graph.node[index]
        else:
            used.update(node.input)
    for index in reversed(range(len(graph.initializer))):
        if graph.initializer[index].name not in used:
            del graph.initializer[index]
