"""Running exported files: one signature for all formats, and the packages that run them."""

from collections.abc import Callable
from types import ModuleType

import numpy as np

from mallenet_tf.common.errors import optional_module

# From an image [H, W, C], float32 in [0, 1], and sigma in 8-bit units or None, to the denoised one.
DenoiseFunction = Callable[[np.ndarray, float | None], np.ndarray]


def named_inputs(image: np.ndarray, sigma: float | None) -> dict[str, np.ndarray]:
    """Returns the arguments of an exported function for one image."""
    level = {} if sigma is None else {"sigma": np.array([sigma], np.float32)}
    return {"image": image[None], **level}


def litert() -> ModuleType:
    """Imports LiteRT's interpreter, or raises UserError where it is not installed."""
    return optional_module("ai_edge_litert.interpreter", "ai-edge-litert", "export")


def tf2onnx() -> ModuleType:
    """Imports the converter to ONNX, or raises UserError where it is not installed."""
    return optional_module("tf2onnx", "tf2onnx", "export")


def onnxruntime() -> ModuleType:
    """Imports what runs ONNX files, or raises UserError where it is not installed."""
    return optional_module("onnxruntime", "onnxruntime", "export")
