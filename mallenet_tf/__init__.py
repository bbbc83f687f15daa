"""MalleNet: fast image denoising with malleable convolution, for TensorFlow and Keras.

import mallenet_tf
clean = mallenet_tf.denoise(noisy)  # a NumPy image, uint8 or float in [0, 1]
"""

import importlib
from typing import Any

# Loaded on first use: importing the package, or one of its parts, brings no TensorFlow with it.
_NAMES = {
    "build_model": "mallenet_tf.models",
    "load_model": "mallenet_tf.models",
    "denoise": "mallenet_tf.inference",
}
_PACKAGES = ("data", "evaluation", "inference", "layers", "models", "ops", "profiling", "training")

__all__ = sorted([*_NAMES, *_PACKAGES])
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _PACKAGES:
        return importlib.import_module(f"mallenet_tf.{name}")
    raise AttributeError(f"module 'mallenet_tf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES, *_PACKAGES])
