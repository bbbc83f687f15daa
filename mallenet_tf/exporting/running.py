"""Running exported files: one form for all formats."""

from collections.abc import Callable
from types import ModuleType

import numpy as np

from mallenet_tf.common.errors import optional_module

# From an image [H, W, C], float32 in [0, 1], and sigma in 8-bit units or None, to the denoised one.
Run = Callable[[np.ndarray, float | None], np.ndarray]


def named_inputs(image: np.ndarray, sigma: float | None) -> dict[str, np.ndarray]:
    """The arguments of an exported function for one image."""
    level = {} if sigma is None else {"sigma": np.array([sigma], np.float32)}
    return {"image": image[None], **level}


def litert() -> ModuleType:
    """LiteRT's interpreter, or `UserError` where it is not installed."""
    return optional_module("ai_edge_litert.interpreter", "ai-edge-litert", "export")


def tf2onnx() -> ModuleType:
    """The converter to ONNX, or `UserError` where it is not installed."""
    return optional_module("tf2onnx", "tf2onnx", "export")


def onnxruntime() -> ModuleType:
    """What runs ONNX files, or `UserError` where it is not installed."""
    return optional_module("onnxruntime", "onnxruntime", "export")
