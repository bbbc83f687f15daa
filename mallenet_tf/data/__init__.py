"""Images, noise, augmentation and the training pipeline.

Names are imported on first use, so that reading image files (`images`) or adding
evaluation noise does not load TensorFlow.
"""

import importlib
from typing import Any

_HOME = {
    "list_images": "images",
    "load_images": "images",
    "decode_image": "images",
    "UnreadableImageError": "images",
    "add_gaussian_noise": "noise",
    "GaussianNoise": "noise",
    "NoiseModel": "noise",
    "PoissonGaussianNoise": "noise_camera",
    "VaryingNoise": "noise_camera",
    "JpegNoise": "noise_camera",
    "ImageFolder": "folder",
    "PairFolder": "folder",
    "list_pairs": "pairs",
    "load_pairs": "pairs",
    "FrameSequences": "sequences",
    "Drawings": "drawings",
    "Leaves": "leaves",
    "MovingScenes": "moving",
    "list_sequences": "video",
    "PreparedImages": "prepared",
    "open_records": "prepared",
    "prepared_images": "prepared",
    "prepared_mix": "prepared",
    "noisy_window": "pipeline",
    "training_dataset": "pipeline",
    "describe": "pipeline",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
