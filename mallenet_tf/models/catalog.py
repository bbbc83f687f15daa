"""Networks and shipped weights by name."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from mallenet_tf.models.adfnet import ADFNet
from mallenet_tf.models.deformable_kernels import DeformableKernels
from mallenet_tf.models.denoising_model import DenoisingModel
from mallenet_tf.models.dncnn import DnCNN
from mallenet_tf.models.kpn import KPN
from mallenet_tf.models.mallenet import MalleNet
from mallenet_tf.models.rdn import RDN
from mallenet_tf.models.sadnet import SADNet
from mallenet_tf.models.unet import UNet

# The builder of each named network and its size in the paper.
MODELS: Mapping[str, tuple[Callable[..., DenoisingModel], dict[str, Any]]] = {
    "mallenet_s": (MalleNet, {"width": 16}),
    "mallenet_m": (MalleNet, {"width": 32}),
    "mallenet_l": (MalleNet, {"width": 64}),
    "mallenet_xl": (MalleNet, {"width": 144}),
    "mallenet_r": (MalleNet, {"width": 40, "kernel_size": 3, "block": "residual"}),
    "dncnn": (DnCNN, {"depth": 15, "width": 64}),
    "unet": (UNet, {"blocks": 4, "width": 32}),
    "rdn": (RDN, {"blocks": 16, "width": 64, "block_layers": 8}),
    "adfnet": (ADFNet, {"width": 32}),
    "adfnet_l": (ADFNet, {"width": 64}),
    "sadnet": (SADNet, {"width": 32}),
    "kpn": (KPN, {"kernel_size": 5}),
    "deformable_kernels_2d": (DeformableKernels, {"dimensions": 2, "kernel_size": 5}),
    "deformable_kernels_3d": (
        DeformableKernels,
        {"dimensions": 3, "kernel_size": 3, "frames": 5},
    ),
}

# Defaults of `denoise`: for photographs, and for white noise. On gray images, whose noise is the
# same in all channels, the color network is 3 to 7 dB worse than the gray one.
DEFAULT_PHOTO_WEIGHTS = "mallenet_s_photo"
DEFAULT_WEIGHTS = "mallenet_s_color"
DEFAULT_GRAY_WEIGHTS = "mallenet_s_gray"
WEIGHTS = Path(__file__).resolve().parent.parent / "weights"


def build_model(name: str, **options: Any) -> DenoisingModel:
    """Builds a network with fresh weights.

    Args:
        name: One of `MODELS`, for example "mallenet_s".
        **options: Arguments of the builder, for example `noise_conditioned=True`,
            `image_channels=1` or `normalization="batch"`.

    Raises:
        ValueError: If `name`, an option or its value is unknown.
    """
    if name not in MODELS:
        raise ValueError(
            f"Unknown model; choose one of {', '.join(MODELS)}. Received: name={name!r}"
        )
    builder, size = MODELS[name]
    try:
        return builder(**{**size, "name": name, **options})
    except TypeError as error:
        if "keyword argument" not in str(error):
            raise
        raise ValueError(f"{error}. Received: name={name!r}, options={options}") from error


def shipped_weights() -> dict[str, dict[str, Any]]:
    """Returns the manifest of the shipped weights: model, data, PSNR and so on by name."""
    manifest = WEIGHTS / "manifest.json"
    return json.loads(manifest.read_text()) if manifest.exists() else {}


def weights_path(name_or_path: str | Path) -> Path:
    """Finds a weights file by a shipped name, its path or a run folder.

    A run folder means its best checkpoint.

    Raises:
        FileNotFoundError: If there is no such file; the message lists the shipped names.
        ValueError: If a shipped file differs from the manifest.
    """
    shipped = shipped_weights()
    if str(name_or_path) in shipped:
        entry = shipped[str(name_or_path)]
        path = WEIGHTS / entry["file"]
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != entry["sha256"]:
            raise ValueError(
                f"Damaged weights; install the package again. Received: {path} with SHA-256 "
                f"{found}, not {entry['sha256']}"
            )
        return path
    path = Path(name_or_path)
    if path.is_dir():
        path = path / "best.keras"
    if not path.is_file():
        raise FileNotFoundError(
            "No such weights: give a .keras file, a run folder with best.keras in it, or one of "
            "the shipped names "
            f"({', '.join(shipped) or 'none yet'}). Received: {str(name_or_path)!r}"
        )
    return path


def load_model(name_or_path: str | Path) -> DenoisingModel:
    """Loads a trained network by a shipped name, from a `.keras` file or from a run folder.

    Raises:
        FileNotFoundError: If there are no such weights.
        ValueError: If the file is not a Keras model or not a denoiser of this package.
    """
    path = weights_path(name_or_path)
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds; all mean the file does not hold a model
        raise ValueError(
            f"Cannot load a model from this file: {error}. Received: {str(path)!r}"
        ) from error
    if not isinstance(model, DenoisingModel):
        raise ValueError(
            "The file holds a Keras model that is not a denoiser of this package "
            f"({type(model).__name__}). Received: {str(path)!r}"
        )
    return model
