"""Denoising networks, one paper to a file, and their names."""

from mallenet_tf.models.catalog import (
    DEFAULT_WEIGHTS,
    MODELS,
    build_model,
    load_model,
    shipped_weights,
    weights_path,
)
from mallenet_tf.models.denoiser import Denoiser
from mallenet_tf.models.mallenet import MalleNet
from mallenet_tf.models.warm_start import copy_weights

__all__ = [
    "DEFAULT_WEIGHTS",
    "MODELS",
    "Denoiser",
    "MalleNet",
    "build_model",
    "copy_weights",
    "load_model",
    "shipped_weights",
    "weights_path",
]
