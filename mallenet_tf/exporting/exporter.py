"""Exports a network and checks the files: what `python -m mallenet_tf.export` does."""

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.files import atomic_folder, atomic_path
from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.data.sources.leaves import leaves_canvas
from mallenet_tf.exporting.agreement import Agreement, Sample, compare
from mallenet_tf.exporting.onnx_file import convert_to_onnx, load_onnx
from mallenet_tf.exporting.running import Run, litert, onnxruntime, tf2onnx
from mallenet_tf.exporting.saved_model import (
    add_native_library,
    load_saved_model,
    write_saved_model,
)
from mallenet_tf.exporting.standard_ops import with_standard_ops
from mallenet_tf.exporting.tflite import convert_to_tflite, load_tflite
from mallenet_tf.image_io import list_images, load_images
from mallenet_tf.inference.denoiser import Denoiser
from mallenet_tf.models import DEFAULT_WEIGHTS, load_model
from mallenet_tf.models import DenoisingModel as Model
from mallenet_tf.models.folding import fold_normalization

# What a format's file or folder is called, after the weights.
NAMES = {
    "portable": "{}_saved_model",
    "native": "{}_native_saved_model",
    "tflite": "{}.tflite",
    "tflite_float16": "{}_float16.tflite",
    "tflite_int8": "{}_int8.tflite",
    "onnx": "{}.onnx",
}
# A file that is further from the Keras model is not kept: the largest difference of any value, of
# images in [0, 1], or for rounded weights the mean loss of PSNR in dB: int8 costs about 0.5 at
# sigma 25 and 1.2 over `SIGMAS`.
LARGEST_DIFFERENCE = 1e-4
LARGEST_LOSS = {"tflite_float16": 0.05, "tflite_int8": 1.5}

SAMPLE_SIDE = 256
CALIBRATION_SAMPLES = 16
MEASURED_SAMPLES = 8
ODD_SIZES = ((1, 1), (3, 50), (37, 20))
# What noise-conditioned networks are calibrated and measured at, in turn.
SIGMAS = (5.0, 15.0, 25.0, 50.0)


def parse_formats(names: Sequence[str]) -> list[str]:
    """`--formats`: the names, or all for "all".

    Raises:
        UserError: if there is none, or an unknown one.
    """
    if list(names) == ["all"]:
        return list(NAMES)
    unknown = [name for name in names if name not in NAMES]
    if unknown or not names:
        raise UserError(
            f"Formats are {', '.join(NAMES)}, or all. Received: --formats={','.join(names)}"
        )
    return list(dict.fromkeys(names))


def run(
    weights: str | Path | None,
    output: Path,
    formats: Sequence[str],
    images: Sequence[str | Path] = (),
    overwrite: bool = False,
) -> list[Path]:
    """Exports weights to files, and prints a line for each that says how well it agrees.

    Args:
        weights: as `models.load_model` takes them; None for the shipped default.
        output: folder for the files.
        formats: of `NAMES`.
        images: clean photographs for calibration and PSNRs; none for synthetic images.
        overwrite: replace files that exist.

    Returns:
        The files and folders written.

    Raises:
        UserError: if an output exists, a package is missing, the network is one for video, or a
            file does not agree with the Keras model; that one is then not kept.
    """
    _check_packages(formats)
    weights = weights or DEFAULT_WEIGHTS
    targets = {name: output / NAMES[name].format(_label(weights)) for name in formats}
    present = [str(path) for path in targets.values() if path.exists()]
    if present and not overwrite:
        raise UserError(f"An output exists; --overwrite replaces it. Received: {present[0]}")
    model = load_model(weights)
    if model.frames > 1:
        raise UserError(
            "Exports take networks for single images. "
            f"Received: {weights}, which denoises from {model.frames} frames"
        )
    samples = make_samples(model, images)
    wanted = _keras_run(model)
    with tempfile.TemporaryDirectory() as scratch:
        exporter = Exporter(model, samples, Path(scratch))
        for name, target in targets.items():
            open_output = atomic_folder if name in ("portable", "native") else atomic_path
            with open_output(target) as temporary:
                print(f"{target}: converting and checking", flush=True)
                found = exporter.write(name, temporary)
                print(f"  {check(name, wanted, found, samples)}", flush=True)
    return list(targets.values())


def _check_packages(formats: Sequence[str]) -> None:
    """Raises UserError for a missing package before minutes are spent on converting."""
    for name in formats:
        if name.startswith("tflite"):
            litert()
        if name == "onnx":
            tf2onnx(), onnxruntime()


def _label(weights: str | Path) -> str:
    path = Path(weights)
    return path.stem if path.suffix == ".keras" else path.resolve().name


def _keras_run(model: Model) -> Run:
    denoiser = Denoiser(model, tile=0)
    return lambda image, sigma: denoiser(image, sigma)


class Exporter:
    """Writes one network in any of the formats.

    Args:
        model: the network, with the weights to export.
        samples: what int8 is calibrated on.
        scratch: an empty folder for what lies between.
    """

    def __init__(self, model: Model, samples: Sequence[Sample], scratch: Path):
        self.model = model
        self.samples = samples
        self.scratch = scratch
        self.standard = with_standard_ops(fold_normalization(model, implementation="reference"))

    def write(self, name: str, target: Path) -> Run:
        """Writes the format `name` to `target` and returns what runs it."""
        if name == "portable":
            write_saved_model(self.model, self.standard, target)
            return load_saved_model(target)
        if name == "native":
            network = fold_normalization(self.model, implementation="native")
            write_saved_model(self.model, network, target)
            add_native_library(self.model, target)
            return load_saved_model(target)
        if name == "onnx":
            target.write_bytes(convert_to_onnx(self.model, self.standard))
            return load_onnx(target)
        numbers = name.removeprefix("tflite").removeprefix("_") or "float32"
        target.write_bytes(convert_to_tflite(self._portable(), numbers, self._examples()))
        return load_tflite(target)

    def _portable(self) -> Path:
        """The portable SavedModel, for the converters that start from it."""
        folder = self.scratch / "portable"
        if not folder.exists():
            write_saved_model(self.model, self.standard, folder)
        return folder

    def _examples(self) -> list[tuple[np.ndarray, float | None]]:
        chosen = self.samples[-CALIBRATION_SAMPLES:]
        return [(sample.noisy, sample.sigma) for sample in chosen]


def check(name: str, wanted: Run, found: Run, samples: Sequence[Sample]) -> str:
    """Compares an exported network with the Keras model, on samples and on images of odd sizes.

    Returns:
        A line that says how well they agree.

    Raises:
        UserError: if they do not.
    """
    first = samples[0]
    odd = [
        Sample(first.clean[:height, :width], first.noisy[:height, :width], first.sigma)
        for height, width in ODD_SIZES
    ]
    count = min(MEASURED_SAMPLES, len(samples))
    measured = compare(wanted, found, samples[:count])
    largest = max(measured.difference, compare(wanted, found, odd).difference)
    text = (
        f"agrees with Keras to {largest:.1e} (of 1.0); PSNR {measured.psnr - measured.loss:.2f} dB"
        f", Keras {measured.psnr:.2f}, loss {measured.loss:.3f}, on {count} images"
    )
    if not _within_limits(name, measured, largest):
        limit = (
            f"a loss of {LARGEST_LOSS[name]:g} dB"
            if name in LARGEST_LOSS
            else f"a difference of {LARGEST_DIFFERENCE:g}"
        )
        raise UserError(f"The exported file is not kept, {limit} is the limit. Received: {text}")
    return text


def _within_limits(name: str, measured: Agreement, largest: float) -> bool:
    if name in LARGEST_LOSS:
        return measured.loss <= LARGEST_LOSS[name]
    return largest <= LARGEST_DIFFERENCE


def make_samples(model: Model, images: Sequence[str | Path]) -> list[Sample]:
    """Noisy images for calibration and checks, all of one size of at most 256x256.

    Args:
        model: says how many channels they have, and at which noise level.
        images: clean photographs: files, folders or globs; none for synthetic images.
    """
    count = MEASURED_SAMPLES + CALIBRATION_SAMPLES
    named = _photographs(images, model, count) if images else _leaves(model, count)
    side = min(SAMPLE_SIDE, *(size for _, image in named for size in image.shape[:2]))
    samples = []
    for (name, image), sigma in zip(named, itertools.cycle(SIGMAS), strict=False):
        top, left = ((length - side) // 2 for length in image.shape[:2])
        clean = image[top : top + side, left : left + side]
        level = sigma if model.noise_conditioned else model.trained_sigma or 25.0
        noisy = add_gaussian_noise(clean, level, name)
        samples.append(Sample(clean, noisy, level if model.noise_conditioned else None))
    return samples


def _photographs(
    patterns: Sequence[str | Path], model: Model, count: int
) -> list[tuple[str, np.ndarray]]:
    """Photographs spread evenly over what the patterns match."""
    paths = list_images(patterns)
    step = max(1, len(paths) // count)
    return list(load_images(paths[::step][:count], model.image_channels))


def _leaves(model: Model, count: int) -> list[tuple[str, np.ndarray]]:
    canvases = [leaves_canvas(np.array([0, i]), SAMPLE_SIDE).numpy() for i in range(count)]
    if model.image_channels == 1:
        canvases = [canvas[..., 1:2] for canvas in canvases]
    return [(f"leaves{index}", canvas) for index, canvas in enumerate(canvases)]
