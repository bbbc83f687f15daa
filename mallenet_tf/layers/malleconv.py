"""Malleable convolution (malleconv.txt, sections 3.2 and 3.3, equations 1 and 2)."""

import keras
import numpy as np
from keras import layers

from mallenet_tf.layers.kernel_predictor import KernelPredictor
from mallenet_tf.ops import malleable_slice


@keras.saving.register_keras_serializable("mallenet_tf")
class MalleConv(layers.Layer):
    """Depthwise convolution with spatially varying kernels predicted at low resolution.

    A small network predicts kernels and biases on a coarse grid; the fused op interpolates them
    bilinearly at each pixel and applies them there. The layer replaces any layer that keeps the
    shape of its input:

        x = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(images)
        x = mallenet_tf.layers.MalleConv()(x)

    Args:
        kernel_size: K, the side of the depthwise kernels: 1 for additive noise, 3 for real noise
            (section 4).
        pool_size: average pooling in front of the predictor; with the predictor's own max pooling
            the kernels stand on a grid 2 * pool_size coarser than the features (Table 2).
        blocks: residual blocks in each half of the predictor.
        width: channels inside the predictor; None for as many as the features have.
        residual: True for inputs + slice(inputs), which trains faster and better than slice(inputs)
            alone. It is folded into the kernels: one is added to their middle tap.
        normalization: None, or "batch", inside the predictor.
        implementation: "auto", "native" or "reference", as in `ops.malleable_slice`.
        position: (y, x) from 0 to 1: the kernel predicted there is used everywhere (Fig. 11).

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1; on PyTorch multiples of `pool_size`, as
        `KernelPredictor` says.

    Output shape:
        The same.

    Raises:
        ValueError: if `kernel_size` is even, a size is below 1 or `position` outside the image.

    Example:
        >>> MalleConv(kernel_size=3)(keras.ops.ones((1, 32, 32, 16))).shape
        TensorShape([1, 32, 32, 16])
    """

    def __init__(
        self,
        kernel_size: int = 1,
        pool_size: int = 4,
        blocks: int = 3,
        width: int | None = None,
        residual: bool = True,
        normalization: str | None = None,
        implementation: str = "auto",
        position: tuple[float, float] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if position is not None and not (len(position) == 2 and all(0 <= x <= 1 for x in position)):
            raise ValueError(f"position must be (y, x) from 0 to 1. Received: position={position}")
        self.residual = residual
        self.position = None if position is None else tuple(position)
        self.implementation = implementation
        # TensorFlow's native op has no XLA kernel; the reference, all that others have, compiles.
        on_tensorflow = keras.backend.backend() == "tensorflow"
        self.supports_jit = implementation == "reference" or not on_tensorflow
        self.predictor = KernelPredictor(
            kernel_size,
            pool_size,
            blocks,
            width,
            normalization,
            dtype=self.dtype_policy,
            name="predictor",
        )
        identity = np.zeros((kernel_size**2, 1), np.float32)
        identity[kernel_size**2 // 2] = 1.0
        self._identity = identity

    def build(self, input_shape):
        self.predictor.build(input_shape)

    @property
    def kernel_spacing(self) -> int:
        """Pixels between the predicted kernels, where height and width are multiples of it.

        On other sizes fewer pixels share the last kernels, and all are stretched over the image, as
        bilinear resizing does. Networks that are trained on multiples and see other sizes later
        should pad to multiples.
        """
        return 2 * self.predictor.pool_size

    @property
    def receptive_field_radius(self) -> int:
        """How far, in pixels to one side, an input pixel can reach."""
        return self.predictor.receptive_field_radius + self.predictor.kernel_size // 2

    def call(self, inputs, training=None):
        kernels, bias = self.predictor(inputs, training=training)
        if self.position is not None:
            kernels, bias = _cell(kernels, self.position), _cell(bias, self.position)
        if self.residual:
            kernels = kernels + keras.ops.convert_to_tensor(self._identity, kernels.dtype)
        return malleable_slice(inputs, kernels, bias, implementation=self.implementation)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        config = {
            "kernel_size": self.predictor.kernel_size,
            "pool_size": self.predictor.pool_size,
            "blocks": self.predictor.blocks,
            "width": self.predictor.width,
            "residual": self.residual,
            "normalization": self.predictor.normalization,
            "implementation": self.implementation,
            "position": self.position,
        }
        return {**super().get_config(), **config}


def _cell(grid, position):
    """`[N, h, w, ...]` to `[N, 1, 1, ...]`: the cell at a relative position."""
    for axis, share in enumerate(position, start=1):
        cells = keras.ops.shape(grid)[axis]
        index = keras.ops.cast(share * keras.ops.cast(cells, "float32"), "int32")
        index = keras.ops.reshape(keras.ops.minimum(index, cells - 1), (1,))
        grid = keras.ops.take(grid, index, axis=axis)
    return grid
