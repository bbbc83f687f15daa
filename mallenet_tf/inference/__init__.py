"""From a trained network to denoised images: padding, tiling, noise estimation, image files.

Names are imported on first use, so that reading an image file loads no TensorFlow.
"""

import importlib
from typing import Any

_HOME = {
    "denoise": "api",
    "Denoiser": "denoiser",
    "estimate_sigma": "noise_estimation",
    "read_image": "image_files",
    "read_picture": "image_files",
    "write_image": "image_files",
    "write_picture": "image_files",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
