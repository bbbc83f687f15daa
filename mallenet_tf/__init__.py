"""MalleNet: fast image denoising with malleable convolution, for TensorFlow and Keras.

Example:
    >>> import mallenet_tf
    >>> clean = mallenet_tf.denoise_image(noisy)  # NumPy, uint8 or float in [0, 1]

Importing the package loads neither TensorFlow nor Keras; names are imported on first use. Once the
package is imported, `keras.saving.load_model` finds its layers and models.
"""

import lazy_loader

from mallenet_tf.common import keras_registry as _keras_registry  # noqa: F401 - fills the registry

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["data", "evaluation", "inference", "layers", "models", "ops", "training"],
    submod_attrs={
        "inference.single_image": ["denoise_image"],
        "models": ["build_model", "load_model"],
    },
)

__version__ = "0.1.0"
