"""Writes what the page needs of the package into web/networks: ONNX files and numbers, as JSON.

    python web/export_networks.py

Nothing is copied by hand, so that the page gives what the package gives: run it again after weights
or constants change. Each network is compared with Keras before it is written.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime

import mallenet_tf
from mallenet_tf.common.srgb import LUMA
from mallenet_tf.exporting.browser import convert_for_browser
from mallenet_tf.image_io import quantize
from mallenet_tf.inference import (
    Denoiser,
    level_estimation,
    noise_estimation,
    noise_evidence,
    noise_level,
)
from mallenet_tf.inference.denoiser import TILE_GRID
from mallenet_tf.models import DenoisingModel, load_model
from mallenet_tf.models.catalog import (
    DEFAULT_GRAY_WEIGHTS,
    DEFAULT_PHOTO_WEIGHTS,
    DEFAULT_WEIGHTS,
)

OUTPUT = Path(__file__).resolve().parent / "networks"
NETWORKS = {
    "photo": DEFAULT_PHOTO_WEIGHTS,
    "color": DEFAULT_WEIGHTS,
    "gray": DEFAULT_GRAY_WEIGHTS,
}
LARGEST_FILE = 3_000_000  # Bytes
LARGEST_DIFFERENCE = 0.25 / 255  # from Keras: float16 weights move no pixel by a whole step.


def main() -> None:
    """Exports the networks and the constants."""
    OUTPUT.mkdir(exist_ok=True)
    networks = {role: export(role, name) for role, name in NETWORKS.items()}
    settings = {
        "version": mallenet_tf.__version__,
        "networks": networks,
        "luma": LUMA,
        "grid": TILE_GRID,
        "told": constants(
            noise_level,
            "LEAST_WHITE WHITE_SHARE ESTIMATED_LEVELS TOLD_LEVELS LITTLE_NOISE HIGHEST_SIGMA "
            "QUIET_WHITE QUIET_CAMERA STRONG_CAMERA",
        ),
        "evidence": constants(
            noise_evidence, "BLOCK EQUAL_SHARE EQUAL_QUANTILE QUIET_BLOCK QUIET_SHARE MOST_ROWS"
        ),
        "level": {
            **constants(level_estimation, "TILE MOST_TILES SCALES QUANTILES"),
            "network": level_network(),
        },
        "sigma": constants(
            noise_estimation,
            "PATCH LOW_FREQUENCIES HIGH_FREQUENCIES FLAT_SHARE FLAT_LEAST FLAT_MARGIN "
            "SMALLEST_SIDE MOST_PATCHES SHARED_NOISE CLIPPED_FADE WHITE MEDIAN_DEVIATION",
        ),
    }
    copy_licenses()
    (OUTPUT / "settings.json").write_text(json.dumps(settings, indent=1) + "\n")


def copy_licenses() -> None:
    """Takes the runtime's licenses from its package for Python: the one of npm has none."""
    package = Path(onnxruntime.__file__).parent
    texts = [package / "LICENSE", package / "ThirdPartyNotices.txt"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in texts)
    (OUTPUT / "onnxruntime_licenses.txt").write_text(text, encoding="utf-8")


def export(role: str, name: str) -> dict[str, object]:
    """Writes the ONNX file of shipped weights; returns how the page has to call it."""
    model = load_model(name)
    content = convert_for_browser(model)
    difference = check(model, content)
    if len(content) > LARGEST_FILE or difference > LARGEST_DIFFERENCE:
        raise RuntimeError(
            f"The file must have at most {LARGEST_FILE} bytes and differ by at most "
            f"{LARGEST_DIFFERENCE:.2g}. Received: {len(content)} bytes, {difference:.2g}"
        )
    (OUTPUT / f"{role}.onnx").write_bytes(content)
    print(f"{role}: {name}, {len(content):,} bytes, differs from Keras by {difference:.1e} of 1.0")
    denoiser = Denoiser(model)
    return {
        "name": name,
        "channels": model.image_channels,
        "levelMap": model.level_map,
        "multiple": model.padding_multiple,
        "margin": denoiser.margin,
        "overlap": denoiser.overlap,
    }


def check(model: DenoisingModel, content: bytes) -> float:
    """Returns the largest difference from Keras on smooth images with noise."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    nowhere = np.array([-1, -1], np.float32)
    largest = 0.0
    for sigma in (3, 15, 50):
        coarse = random.uniform(0, 1, (1, 4, 4, model.image_channels))
        clean = coarse.repeat(32, axis=1).repeat(32, axis=2)
        noisy = quantize(clean + random.normal(0, sigma / 255, clean.shape)) / np.float32(255)
        level = np.full((*noisy.shape[:3], 1), sigma / 255, np.float32)
        batch = np.concatenate([noisy, level], axis=3)
        wanted = np.clip(model(batch, training=False), 0, 1)
        found = session.run(["denoised"], {"noisy": batch, "place": nowhere})[0]
        largest = max(largest, float(np.abs(np.clip(found, 0, 1) - wanted).max()))
    return largest


def constants(module: object, names: str) -> dict[str, object]:
    """Returns constants of a module by their names."""
    return {name: getattr(module, name) for name in names.split()}


def level_network() -> dict[str, object]:
    """Returns the weights of the small network that estimates a camera's noise level."""
    with np.load(level_estimation.ESTIMATOR) as file:
        return {name: np.round(file[name], 7).tolist() for name in file.files}


if __name__ == "__main__":
    main()
