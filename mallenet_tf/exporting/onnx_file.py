"""ONNX files, for onnxruntime and everything else that reads the format."""

from pathlib import Path

import keras

from mallenet_tf.exporting.image_functions import image_functions
from mallenet_tf.exporting.running import Run, named_inputs, onnxruntime, tf2onnx
from mallenet_tf.models import DenoisingModel

OPSET = 18


def convert_to_onnx(model: DenoisingModel, network: keras.Model) -> bytes:
    """Converts a network of standard operations to an ONNX file's content.

    Inputs and output bear the names, shapes and units of `image_functions`' "denoise".

    Args:
        model: says what the network takes.
        network: computes it.

    Raises:
        UserError: if tf2onnx is not installed.
    """
    function = image_functions(model, network)["denoise"]
    content, _ = tf2onnx().convert.from_function(
        function, input_signature=function.input_signature, opset=OPSET
    )
    return content.SerializeToString()


def load_onnx(file: Path) -> Run:
    """An ONNX file's network on onnxruntime's CPU provider.

    Raises:
        UserError: if that is not installed.
    """
    session = onnxruntime().InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return lambda image, sigma: session.run(["denoised"], named_inputs(image, sigma))[0][0]
