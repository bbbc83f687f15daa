"""Running exported files: one form for all formats, and the optional packages they need."""

import importlib
from collections.abc import Callable
from types import ModuleType

import numpy as np

from mallenet_tf.errors import UserError

# From an image [H, W, C], float32 in [0, 1], and sigma in 8-bit units or None, to the denoised one.
Run = Callable[[np.ndarray, float | None], np.ndarray]


def named_inputs(image: np.ndarray, sigma: float | None) -> dict[str, np.ndarray]:
    """The arguments of an exported function for one image."""
    level = {} if sigma is None else {"sigma": np.array([sigma], np.float32)}
    return {"image": image[None], **level}


def optional_module(name: str, package: str) -> ModuleType:
    """Imports a module of a package of the extra `export`.

    Raises:
        UserError: if it is not installed; the message has the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"This needs {package}, which is not installed: pip install '{package}', or "
            f"pip install 'mallenet-tf[export]' for all formats. Received: {error}"
        ) from error
