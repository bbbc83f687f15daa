"""The formats that networks are exported to: how each is converted, loaded and judged."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from mallenet_tf.common.errors import UserError
from mallenet_tf.exporting.agreement import Agreement
from mallenet_tf.exporting.onnx_file import convert_to_onnx, load_onnx
from mallenet_tf.exporting.running import DenoiseFunction, litert, onnxruntime, tf2onnx
from mallenet_tf.exporting.samples import CALIBRATION_SAMPLES, NoisyPhotograph
from mallenet_tf.exporting.saved_model import (
    add_native_library,
    load_saved_model,
    write_saved_model,
)
from mallenet_tf.exporting.standard_ops import with_standard_ops
from mallenet_tf.exporting.tflite import convert_to_tflite, load_tflite
from mallenet_tf.models import DenoisingModel
from mallenet_tf.models.folding import fold_normalization

# Largest difference of any value, of images in [0, 1], between a file that is kept and Keras.
LARGEST_DIFFERENCE = 1e-4


class Network:
    """A network to export, with what the converters share.

    Args:
        model: The network, with the weights to export.
        samples: Images that int8 is calibrated on.
        scratch: Empty folder for intermediate files.

    Attributes:
        standard: The same network of TensorFlow's standard operations.
    """

    def __init__(self, model: DenoisingModel, samples: Sequence[NoisyPhotograph], scratch: Path):
        self.model = model
        self.examples = [(sample.noisy, sample.sigma) for sample in samples[-CALIBRATION_SAMPLES:]]
        self.scratch = scratch
        self.standard = with_standard_ops(fold_normalization(model, implementation="reference"))

    @functools.cached_property
    def portable(self) -> Path:
        """A portable SavedModel, for the converters that start from one."""
        folder = self.scratch / "portable"
        write_saved_model(self.model, self.standard, folder)
        return folder


def write_portable(network: Network, folder: Path) -> None:
    """Writes a SavedModel of standard operations."""
    write_saved_model(network.model, network.standard, folder)


def write_native(network: Network, folder: Path) -> None:
    """Writes a SavedModel of fused operations, with their library."""
    fused = fold_normalization(network.model, implementation="native")
    write_saved_model(network.model, fused, folder)
    add_native_library(network.model, folder)


def write_tflite(network: Network, file: Path, numbers: str) -> None:
    """Writes a TFLite file, see `convert_to_tflite` for `numbers`."""
    file.write_bytes(convert_to_tflite(network.portable, numbers, network.examples))


def write_onnx(network: Network, file: Path) -> None:
    """Writes an ONNX file."""
    file.write_bytes(convert_to_onnx(network.model, network.standard))


@dataclasses.dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        name: Name of a file or folder, `{}` standing for that of the weights.
        write: Writes a network to a file, or into an empty folder.
        load: Loads what `write` wrote.
        is_folder: Whether it is a folder.
        packages: Import the packages it needs, or raise UserError where one is not installed.
        largest_drop: For rounded weights, the largest drop of the mean PSNR, in dB, of a file that
            is kept. None if the file must agree to `LARGEST_DIFFERENCE`.
    """

    name: str
    write: Callable[[Network, Path], None]
    load: Callable[[Path], DenoiseFunction]
    is_folder: bool = False
    packages: tuple[Callable[[], ModuleType], ...] = ()
    largest_drop: float | None = None

    def check(self, agreement: Agreement) -> None:
        """Raises UserError if a file of this agreement must not be kept."""
        if self.largest_drop is None:
            kept = agreement.difference <= LARGEST_DIFFERENCE
            limit = f"a difference of {LARGEST_DIFFERENCE:g}"
        else:
            kept = agreement.psnr_drop <= self.largest_drop
            limit = f"a drop of {self.largest_drop:g} dB"
        if not kept:
            raise UserError(
                f"The exported file is not kept, {limit} is the limit. Received: {agreement}"
            )


def _tflite(suffix: str, numbers: str, largest_drop: float | None = None) -> Format:
    write = functools.partial(write_tflite, numbers=numbers)
    return Format(suffix, write, load_tflite, packages=(litert,), largest_drop=largest_drop)


FORMATS = {
    "portable": Format("{}_saved_model", write_portable, load_saved_model, is_folder=True),
    "native": Format("{}_native_saved_model", write_native, load_saved_model, is_folder=True),
    "tflite": _tflite("{}.tflite", "float32"),
    "tflite_float16": _tflite("{}_float16.tflite", "float16", largest_drop=0.05),
    "tflite_int8": _tflite("{}_int8.tflite", "int8", largest_drop=0.2),
    "onnx": Format("{}.onnx", write_onnx, load_onnx, packages=(tf2onnx, onnxruntime)),
}


def parse_formats(names: Sequence[str]) -> list[str]:
    """Parses `--formats`: the names, or all for "all".

    Raises:
        UserError: If there is none, or an unknown one.
    """
    if list(names) == ["all"]:
        return list(FORMATS)
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise UserError(
            f"Formats are {', '.join(FORMATS)}, or all. Received: --formats={','.join(names)}"
        )
    return list(dict.fromkeys(names))
