"""ONNX files, for onnxruntime and everything else that reads the format."""

from pathlib import Path

import keras

from mallenet_tf.exporting.image_functions import image_functions
from mallenet_tf.exporting.running import DenoiseFunction, named_inputs, onnxruntime, tf2onnx
from mallenet_tf.models import DenoisingModel

OPSET = 18


def convert_to_onnx(model: DenoisingModel, network: keras.Model) -> bytes:
    """Converts a network of standard operations to the bytes of an ONNX file.

    Inputs and output have the names, shapes and units of "denoise" of `image_functions`.

    Args:
        model: Original network, which says what the inputs are.
        network: Copy of it that is converted.

    Raises:
        UserError: If tf2onnx is not installed.
    """
    function = image_functions(model, network)["denoise"]
    content, _ = tf2onnx().convert.from_function(
        function, input_signature=function.input_signature, opset=OPSET
    )
    return content.SerializeToString()


def load_onnx(file: Path) -> DenoiseFunction:
    """Loads an ONNX file into onnxruntime's CPU provider.

    Raises:
        UserError: If onnxruntime is not installed.
    """
    session = onnxruntime().InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return lambda image, sigma: session.run(["denoised"], named_inputs(image, sigma))[0][0]
