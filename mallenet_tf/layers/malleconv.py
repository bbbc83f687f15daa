"""Malleable convolution (malleconv.txt, sections 3.2 and 3.3, equations 1 and 2)."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from mallenet_tf.common.types import Shape, Tensor
from mallenet_tf.layers.kernel_predictor import TAP_LIMIT, KernelPredictor
from mallenet_tf.ops import malleable_slice

# "sliced" interpolates on the fly. The others store the kernels of all pixels first: "stored" gives
# the same, which malleconv.txt compares in section 4.5 and Fig. 10; "corner" reads equation (1) to
# the letter, r * x, so that the first kernel stands at the first pixel, not at its cell's center.
INTERPOLATIONS = ("sliced", "stored", "corner")


@keras.saving.register_keras_serializable("mallenet_tf")
class MalleConv(layers.Layer):
    """Depthwise convolution with spatially varying kernels predicted at low resolution.

    A small network predicts kernels and biases on a coarse grid; the fused op interpolates them
    bilinearly at each pixel and applies them there. The layer fits wherever a layer keeps the shape
    of its input:

        x = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(images)
        x = mallenet_tf.layers.MalleConv()(x)

    Args:
        kernel_size: K, side of the depthwise kernels: 1 for additive noise, 3 for real noise
            (section 4).
        pool_size: Side of the average pooling before the predictor. With the predictor's max
            pooling the kernel grid is 2 * pool_size coarser than the features (Table 2).
        blocks: Number of residual blocks in each half of the predictor; a pair for different ones.
        width: Number of channels in the predictor; None for that of the features.
        residual: Whether to add the inputs to the filtered inputs, which trains faster and better.
            The sum is folded into the kernels by adding 1 to their center tap.
        normalization: None, or "batch" to normalize in the predictor.
        implementation: "auto", "native" or "reference", as in `ops.malleable_slice`.
        position: (y, x) from 0 to 1, to use the kernel predicted there everywhere (Fig. 11).
        tap_limit: Soft bound of kernels and biases; None for none.
        interpolation: One of `INTERPOLATIONS`.

    Input shape:
        `[N, H, W, C]`, any H and W of at least 1; on PyTorch, multiples of `pool_size` (see
        `KernelPredictor`).

    Output shape:
        The same.

    Raises:
        ValueError: If `kernel_size` is even, a size is below 1, `position` is outside the image or
            `interpolation` is unknown.

    Example:
        >>> MalleConv(kernel_size=3)(keras.ops.ones((1, 32, 32, 16))).shape
        TensorShape([1, 32, 32, 16])
    """

    def __init__(
        self,
        kernel_size: int = 1,
        pool_size: int = 4,
        blocks: int | Sequence[int] = 3,
        width: int | None = None,
        residual: bool = True,
        normalization: str | None = None,
        implementation: str = "auto",
        position: tuple[float, float] | None = None,
        tap_limit: float | None = TAP_LIMIT,
        interpolation: str = "sliced",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if position is not None and not (len(position) == 2 and all(0 <= x <= 1 for x in position)):
            raise ValueError(f"position must be (y, x) from 0 to 1. Received: position={position}")
        if interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"interpolation must be one of {INTERPOLATIONS}. Received: {interpolation!r}"
            )
        self.residual = residual
        self.interpolation = interpolation
        self.position = None if position is None else tuple(position)
        self.implementation = implementation
        # TensorFlow's native op has no XLA kernel; the reference, used on other backends, compiles.
        on_tensorflow = keras.backend.backend() == "tensorflow"
        self.supports_jit = implementation == "reference" or not on_tensorflow
        self.predictor = KernelPredictor(
            kernel_size,
            pool_size,
            blocks,
            width,
            normalization,
            tap_limit,
            dtype=self.dtype_policy,
            name="predictor",
        )
        identity = np.zeros((kernel_size**2, 1), np.float32)
        identity[kernel_size**2 // 2] = 1.0
        self._identity = identity

    def build(self, input_shape: Shape) -> None:
        self.predictor.build(input_shape)

    @property
    def kernel_spacing(self) -> int:
        """Pixels between the predicted kernels if height and width are multiples of it.

        For other sizes the kernel grid is stretched over the image, as in bilinear resizing.
        Networks trained on multiples should pad images of other sizes to multiples.
        """
        return 2 * self.predictor.pool_size

    @property
    def receptive_field_radius(self) -> int:
        """Pixels to one side that can influence an output pixel."""
        return self.predictor.receptive_field_radius + self.predictor.kernel_size // 2

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        kernels, bias = self.predictor(inputs, training=training)
        if self.position is not None:
            kernels, bias = _cell(kernels, self.position), _cell(bias, self.position)
        if self.residual:
            kernels = kernels + keras.ops.convert_to_tensor(self._identity, kernels.dtype)
        if self.interpolation != "sliced":
            corner = self.interpolation == "corner"
            kernels, bias = (_at_every_pixel(grid, inputs, corner) for grid in (kernels, bias))
        return malleable_slice(inputs, kernels, bias, implementation=self.implementation)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = {
            "kernel_size": self.predictor.kernel_size,
            "pool_size": self.predictor.pool_size,
            "blocks": self.predictor.blocks,
            "width": self.predictor.width,
            "residual": self.residual,
            "normalization": self.predictor.normalization,
            "implementation": self.implementation,
            "position": self.position,
            "tap_limit": self.predictor.tap_limit,
            "interpolation": self.interpolation,
        }
        return {**super().get_config(), **config}


def _at_every_pixel(grid: Tensor, image: Tensor, corner: bool) -> Tensor:
    """Interpolates a grid at every pixel of an image: `[N, h, w, ...]` to `[N, H, W, ...]`."""
    ops = keras.ops
    for axis in (1, 2):
        cells, pixels = ops.shape(grid)[axis], ops.shape(image)[axis]
        ratio = ops.cast(cells, "float32") / ops.cast(pixels, "float32")
        places = ops.arange(pixels, dtype="float32")
        places = places * ratio if corner else (places + 0.5) * ratio - 0.5
        places = ops.clip(places, 0.0, ops.cast(cells - 1, "float32"))
        below = ops.cast(ops.floor(places), "int32")
        share = ops.cast(places - ops.floor(places), grid.dtype)
        share = ops.reshape(share, (-1, *[1] * (len(grid.shape) - axis - 1)))
        above = ops.take(grid, ops.minimum(below + 1, cells - 1), axis=axis)
        grid = ops.take(grid, below, axis=axis) * (1 - share) + above * share
    return grid


def _cell(grid: Tensor, position: tuple[float, ...]) -> Tensor:
    """Selects the cell at a relative position: `[N, h, w, ...]` to `[N, 1, 1, ...]`."""
    for axis, share in enumerate(position, start=1):
        cells = keras.ops.shape(grid)[axis]
        index = keras.ops.cast(share * keras.ops.cast(cells, "float32"), "int32")
        index = keras.ops.reshape(keras.ops.minimum(index, cells - 1), (1,))
        grid = keras.ops.take(grid, index, axis=axis)
    return grid
