"""Modulated deformable convolution (DCNv2): a convolution with learned sampling positions.

Source: sadnet.txt, section 3.1, equation 3; adfnet.txt, equations 1 and 2; Zhu et al. 2019,
"Deformable ConvNets v2: More Deformable, Better Results", equation 1.
"""

import math
from typing import Any

import keras
from keras import layers, ops

from mallenet_tf.common.types import Shape, Tensor
from mallenet_tf.layers.kernel_predictor import soft_bound

# Learned offsets have no bound by default. Receptive field radii, from which tiles take their
# overlap, then assume that they stay within this many features.
OFFSET_ALLOWANCE = 8


def deformable_convolution(
    features: Tensor, offsets: Tensor, modulation: Tensor, kernel: Tensor
) -> Tensor:
    """Convolves with taps that are moved and weighted at every pixel, zero outside the image.

    Samples between pixels are interpolated bilinearly, also between the border and the zeros
    around it. The taps are processed one by one, so that apart from the offsets memory holds only a
    few times the features' size, not the K * K samples of every pixel.

    Args:
        features: `[N, H, W, C]`.
        offsets: `[N, H, W, K * K, G, 2]`, offsets of the taps down and to the right, in pixels.
            Taps are in row order; each of G groups of adjacent channels has its own.
        modulation: `[N, H, W, K * K, G]`, factors of the samples.
        kernel: `[K, K, C, F]`, K odd.

    Returns:
        `[N, H, W, F]`.

    Example:
        >>> still, equal = keras.ops.zeros((1, 5, 4, 9, 2, 2)), keras.ops.ones((1, 5, 4, 9, 2))
        >>> features, kernel = keras.ops.ones((1, 5, 4, 6)), keras.ops.ones((3, 3, 6, 7))
        >>> deformable_convolution(features, still, equal, kernel).shape
        TensorShape([1, 5, 4, 7])
    """
    precise = keras.backend.standardize_dtype(features.dtype) == "float64"
    dtype = "float64" if precise else "float32"  # half precision does not hold positions
    size, groups = kernel.shape[0], modulation.shape[-1]
    batch, height, width, channels = ops.shape(features)
    corners = _corners(features, groups)

    def count(number: Tensor, rank: int) -> Tensor:
        return ops.reshape(ops.arange(number, dtype="int32"), (-1, *[1] * (rank - 1)))

    rows, columns = ops.cast(count(height, 4), dtype), ops.cast(count(width, 3), dtype)
    taps = ops.cast(count(size, 2), dtype)
    result = None
    for y in range(size):  # places and weights for a row of taps, `[N, H, W, K, G]`, at a time
        here = slice(y * size, (y + 1) * size)
        moved = ops.cast(offsets[:, :, :, here], dtype) - size // 2
        top, down = _split(rows + y + moved[..., 0], height)
        left, right = _split(columns + taps + moved[..., 1], width)
        places = (count(batch, 5) * (height + 1) + top) * (width + 1) + left
        places = places * groups + ops.arange(groups, dtype="int32")
        up, across = 1 - down, 1 - right
        weights = ops.stack([up * across, up * right, down * across, down * right], axis=-1)
        weights = weights * ops.cast(modulation[:, :, :, here, :, None], dtype)
        weights = ops.cast(weights, features.dtype)
        for x in range(size):
            samples = ops.take(corners, ops.reshape(places[:, :, :, x], (-1,)), axis=0)
            samples = ops.sum(samples * ops.reshape(weights[:, :, :, x], (-1, 4, 1)), axis=1)
            product = ops.matmul(ops.reshape(samples, (-1, channels)), kernel[y, x])
            result = product if result is None else result + product
    return ops.reshape(result, (-1, height, width, kernel.shape[-1]))


def _corners(features: Tensor, groups: int) -> Tensor:
    """Returns a table with a row for each cell between pixels: the features at its corners.

    The image has a border of zeros, so that there are `[N, H + 1, W + 1, G]` cells. A row holds the
    upper left, upper right, lower left and lower right corner: `[4, C / G]`.
    """
    _, height, width, channels = ops.shape(features)
    padded = ops.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]])
    shape = (-1, height + 2, width + 2, groups, 1, channels // groups)
    padded = ops.reshape(padded, shape)
    upper, lower = padded[:, :-1], padded[:, 1:]
    four = [upper[:, :, :-1], upper[:, :, 1:], lower[:, :, :-1], lower[:, :, 1:]]
    return ops.reshape(ops.concatenate(four, axis=4), (-1, 4, channels // groups))


def _split(positions: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Splits positions on an axis of `size` pixels into the cell's index and the fraction in it.

    Positions beyond the border of zeros are clipped to its edge, where samples are zero.
    """
    positions = ops.clip(positions, -1.0, ops.cast(size, positions.dtype))
    # Clip again for the far edge, and because NaN must not become an index.
    below = ops.clip(ops.cast(ops.floor(positions), "int32"), -1, size - 1)
    return below + 1, positions - ops.cast(below, positions.dtype)


def offset_allowance(max_offset: float | None) -> int:
    """Returns the features that offsets may move a tap by; see `OFFSET_ALLOWANCE`."""
    return OFFSET_ALLOWANCE if max_offset is None else math.ceil(max_offset)


def offset_convolution(
    kernel_size: int, groups: int, name: str, dtype: Any = None
) -> layers.Conv2D:
    """Returns the convolution that predicts offsets and modulations, which starts at zero."""
    channels = 3 * kernel_size**2 * groups
    return layers.Conv2D(
        channels, 3, padding="same", kernel_initializer="zeros", dtype=dtype, name=name
    )


@keras.saving.register_keras_serializable("mallenet_tf")
class DeformableConv(layers.Layer):
    """Modulated deformable convolution that predicts its offsets with a convolution.

    The convolution for offsets and modulations starts at zero. The layer thus starts as an ordinary
    convolution with half its kernel, since modulations pass through a sigmoid.

    Args:
        filters: Number of output channels; None for that of the input.
        kernel_size: K, side of the kernel.
        groups: Number of channel groups with separate offsets; 8 in both papers.
        activation: Activation after the bias, as in Keras's layers.
        max_offset: Largest offset in features, by a tanh; None for no bound, as published.
        predicts: Whether the layer predicts offsets from the guide; False if the guide holds them,
            `3 * kernel_size**2 * groups` channels: down, right and modulation of each group of each
            tap, the modulation before its sigmoid.

    Call arguments:
        inputs: `[N, H, W, C]`, any H and W of at least 1; `groups` divides C.
        guide: Features that the offsets are predicted from, `[N, H, W, D]`; None for the inputs.

    Output shape:
        `[N, H, W, filters]`.

    Raises:
        ValueError: If `kernel_size` is even or below 1, `groups` does not divide C, or a guide that
            holds the offsets has another number of channels.

    Example:
        >>> DeformableConv(24)(keras.ops.ones((1, 32, 32, 16))).shape
        TensorShape([1, 32, 32, 24])
    """

    def __init__(
        self,
        filters: int | None = None,
        kernel_size: int = 3,
        groups: int = 8,
        activation: str | None = None,
        max_offset: float | None = None,
        predicts: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd. Received: kernel_size={kernel_size}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.groups = groups
        self.activation = keras.activations.get(activation)
        self.max_offset = max_offset
        self.predicts = predicts
        if predicts:
            self.offsets = offset_convolution(kernel_size, groups, "offsets", self.dtype_policy)

    @property
    def receptive_field_radius(self) -> int:
        """Pixels to one side that can influence an output pixel; see `OFFSET_ALLOWANCE`."""
        return self.kernel_size // 2 + offset_allowance(self.max_offset)

    def build(self, inputs_shape: Shape, guide_shape: Shape | None = None) -> None:
        channels = inputs_shape[-1]
        if channels % self.groups:
            raise ValueError(
                "groups must divide the input's channels. "
                f"Received: groups={self.groups}, {channels} channels"
            )
        offsets_from = inputs_shape if guide_shape is None else guide_shape
        if self.predicts:
            self.offsets.build(offsets_from)
        elif offsets_from[-1] != 3 * self.kernel_size**2 * self.groups:
            raise ValueError(
                f"The guide must hold {3 * self.kernel_size**2 * self.groups} channels of offsets. "
                f"Received: {offsets_from[-1]} channels"
            )
        filters = self.filters or channels
        shape = (self.kernel_size, self.kernel_size, channels, filters)
        self.kernel = self.add_weight(shape, "glorot_uniform", name="kernel")
        self.bias = self.add_weight((filters,), "zeros", name="bias")

    def call(self, inputs: Tensor, guide: Tensor | None = None) -> Tensor:
        found = inputs if guide is None else guide
        if self.predicts:
            found = self.offsets(found)
        _, height, width, _ = ops.shape(inputs)
        found = ops.reshape(found, (-1, height, width, self.kernel_size**2, self.groups, 3))
        offsets = soft_bound(found[..., :2], self.max_offset)
        modulation = ops.sigmoid(found[..., 2])
        kernel = ops.convert_to_tensor(self.kernel)
        return self.activation(
            deformable_convolution(inputs, offsets, modulation, kernel) + self.bias
        )

    def compute_output_shape(self, inputs_shape: Shape, guide_shape: Shape | None = None) -> Shape:
        return (*inputs_shape[:-1], self.filters or inputs_shape[-1])

    def get_config(self) -> dict[str, Any]:
        config = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "groups": self.groups,
            "activation": keras.activations.serialize(self.activation),
            "max_offset": self.max_offset,
            "predicts": self.predicts,
        }
        return {**super().get_config(), **config}
