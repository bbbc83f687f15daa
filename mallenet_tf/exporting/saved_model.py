"""SavedModels: portable, of standard operations only, or native, with the fused ones."""

import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mallenet_tf.exporting.image_functions import image_functions
from mallenet_tf.exporting.running import DenoiseFunction, named_inputs
from mallenet_tf.models import DenoisingModel
from mallenet_tf.ops.loader import find_or_build_library

LIBRARY_FOLDER = "assets.extra"  # where the SavedModel format has room for files of ours
NOTE = """\
# A SavedModel with native operations

Load the library with them first; it was compiled for TensorFlow {version} on Linux:

    import tensorflow as tf

    tf.load_op_library("FOLDER/{library}")
    model = tf.saved_model.load("FOLDER")
    denoised = model.denoise({arguments})["denoised"]

FOLDER is the path of this folder. For another TensorFlow, install mallenet-tf beside it and call
`mallenet_tf.ops.load_native()` instead, which compiles the library; or export the portable format,
which needs none. Without the library loading fails with "Op type not registered".
"""


def write_saved_model(model: DenoisingModel, network: keras.Model, folder: Path) -> None:
    """Writes a SavedModel with the signatures of `image_functions`; "denoise" is the default.

    Args:
        model: Original network, which says what the inputs are.
        network: Copy of it that is written.
        folder: Folder to write; created if it does not exist.
    """
    archive = keras.export.ExportArchive()
    archive.track(network)
    for name, function in image_functions(model, network).items():
        archive.add_endpoint(name, function)
    archive.write_out(str(folder), verbose=False)


def add_native_library(model: DenoisingModel, folder: Path) -> None:
    """Copies the native operations' library into a SavedModel's folder, and notes how to load it.

    Raises:
        RuntimeError: If the library is not there and cannot be built.
    """
    library = Path(find_or_build_library())
    (folder / LIBRARY_FOLDER).mkdir(exist_ok=True)
    shutil.copy2(library, folder / LIBRARY_FOLDER)
    note = NOTE.format(
        library=f"{LIBRARY_FOLDER}/{library.name}",
        version=tf.__version__,
        arguments="image, sigma" if model.noise_conditioned else "image",
    )
    (folder / "README.md").write_text(note, encoding="utf-8")


def load_saved_model(folder: Path) -> DenoiseFunction:
    """Loads a SavedModel's function for float images."""
    loaded = tf.saved_model.load(str(folder))

    def denoise(image: np.ndarray, sigma: float | None) -> np.ndarray:
        inputs = {name: tf.constant(value) for name, value in named_inputs(image, sigma).items()}
        return loaded.denoise(**inputs)["denoised"].numpy()[0]

    return denoise
