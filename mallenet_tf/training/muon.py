"""Muon for convolutions: orthogonal updates of their kernels, Adam's for everything else."""

from typing import Any

import keras
from keras import ops


class ConvolutionMuon(keras.optimizers.Muon):
    """Keras's Muon for kernels of convolutions, which Keras's own leaves to Adam.

    A kernel `[height, width, input, output]` is a matrix of `height * width * input` rows, as in
    the original implementation (Jordan et al. 2024). Adam updates depthwise kernels, biases, slopes
    and the layers that `exclude_layers` names, at the same learning rate: Keras's `rms_rate` gives
    both updates about the same size.
    """

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        is_kernel = len(variable.shape) == 4 and min(variable.shape[-2:]) > 1
        return not is_kernel or any(name in variable.path for name in self.exclude_layers)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """Returns the orthogonal factor of a kernel as a matrix, by Newton-Schulz iteration."""
        return ops.reshape(super().zeropower_via_newtonschulz5(_matrix(x), steps), ops.shape(x))

    def lr_adjust(self, x: Any) -> Any:
        """Scales the update of a kernel to the size of Adam's."""
        return ops.reshape(super().lr_adjust(_matrix(x)), ops.shape(x))


def _matrix(kernel: Any) -> Any:
    return ops.reshape(kernel, (-1, kernel.shape[-1]))
