"""TensorFlow Lite (LiteRT) files: float32, float16 weights, or int8 weights by calibration."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from mallenet_tf.exporting.running import DenoiseFunction, litert, named_inputs

# An image [H, W, C], float32 in [0, 1], and its sigma in 8-bit units or None.
Example = tuple[np.ndarray, float | None]


def convert_to_tflite(
    saved_model: Path, numbers: str = "float32", examples: Iterable[Example] = ()
) -> bytes:
    """Converts a portable SavedModel to the bytes of a TFLite file.

    The file has one signature, "denoise", with the SavedModel's inputs; the interpreter's signature
    runner takes images of any size. Inputs and outputs are float32 in every variant.

    Args:
        saved_model: Folder that `write_saved_model` wrote with standard operations.
        numbers: "float32"; "float16" for weights of half the size; "int8" for weights of 8
            bits, each output channel scaled by itself, and activations of 16. Activations of 8 bits
            lost 1.2 dB.
        examples: Noisy images for int8, all of one size, that show the range of each activation.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(saved_model), signature_keys=["denoise"]
    )
    if numbers != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if numbers == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if numbers == "int8":
        sets = tf.lite.OpsSet
        converter.target_spec.supported_ops = [
            sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
            sets.TFLITE_BUILTINS,
        ]
        converter.representative_dataset = lambda: (
            ("denoise", named_inputs(*example)) for example in examples
        )
    return converter.convert()


def load_tflite(file: Path) -> DenoiseFunction:
    """Loads a TFLite file into the LiteRT interpreter.

    Raises:
        UserError: If LiteRT is not installed.
    """
    runner = litert().Interpreter(model_path=str(file)).get_signature_runner("denoise")
    return lambda image, sigma: runner(**named_inputs(image, sigma))["denoised"][0]
