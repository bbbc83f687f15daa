"""Denoising networks, one paper to a file, and their names."""

from mallenet_tf.models.adfnet import ADFNet
from mallenet_tf.models.catalog import (
    DEFAULT_GRAY_WEIGHTS,
    DEFAULT_PHOTO_WEIGHTS,
    DEFAULT_WEIGHTS,
    MODELS,
    build_model,
    load_model,
    shipped_weights,
    weights_path,
)
from mallenet_tf.models.deformable_kernels import DeformableKernels
from mallenet_tf.models.denoising_model import DenoisingModel
from mallenet_tf.models.kpn import KPN
from mallenet_tf.models.mallenet import MalleNet
from mallenet_tf.models.sadnet import SADNet
from mallenet_tf.models.warm_start import copy_weights

__all__ = [
    "DEFAULT_GRAY_WEIGHTS",
    "DEFAULT_PHOTO_WEIGHTS",
    "DEFAULT_WEIGHTS",
    "KPN",
    "MODELS",
    "ADFNet",
    "DeformableKernels",
    "DenoisingModel",
    "MalleNet",
    "SADNet",
    "build_model",
    "copy_weights",
    "load_model",
    "shipped_weights",
    "weights_path",
]
