"""ONNX files, for onnxruntime and everything else that reads the format."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from mallenet_tf.exporting.image_functions import image_functions
from mallenet_tf.exporting.onnx_prelu import fuse_prelu
from mallenet_tf.exporting.running import DenoiseFunction, named_inputs, onnxruntime, tf2onnx
from mallenet_tf.models import DenoisingModel

if TYPE_CHECKING:
    import onnx

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
    return convert_function(function).SerializeToString()


def convert_function(function: Any) -> "onnx.ModelProto":
    """Converts a `tf.function` with a signature to an ONNX model.

    Raises:
        UserError: If tf2onnx is not installed.
    """
    content, _ = tf2onnx().convert.from_function(
        function, input_signature=function.input_signature, opset=OPSET
    )
    fuse_prelu(content.graph)
    return content


def load_onnx(file: Path) -> DenoiseFunction:
    """Loads an ONNX file into onnxruntime's CPU provider.

    Raises:
        UserError: If onnxruntime is not installed.
    """
    session = onnxruntime().InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return lambda image, sigma: session.run(["denoised"], named_inputs(image, sigma))[0][0]
