"""Modulated deformable convolution (DCNv2): a convolution that learns where to look.

Source: sadnet.txt, section 3.1, equation 3; adfnet.txt, equations 1 and 2; Zhu et al. 2019,
"Deformable ConvNets v2: More Deformable, Better Results", equation 1.
"""

import keras
from keras import layers, ops

# Nothing bounds learnt offsets. Where a number is needed, for the overlap of tiles, samples are
# taken to lie within so many features of their place in the kernel.
OFFSET_ALLOWANCE = 8


def deformable_convolution(features, offsets, modulation, kernel):
    """Convolves with taps that are moved and weighted at every pixel; zero outside the image.

    Samples between pixels are interpolated bilinearly, also between the border and the zeros
    around it. The samples are taken for one tap after the other, so that beside the offsets only a
    few times the features' size is held, not the K * K samples of every pixel.

    Args:
        features: `[N, H, W, C]`.
        offsets: `[N, H, W, K * K, G, 2]`: how far down and to the right of its place each tap
            looks, in pixels; taps by rows, the same for each of G groups of neighbouring channels.
        modulation: `[N, H, W, K * K, G]`: what each sample is multiplied by.
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

    def count(number, rank):
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


def _corners(features, groups):
    """The four features around every place between pixels, one row of a table for each.

    Places lie between -1 and H, W, in an image with a border of zeros: `[N, H + 1, W + 1, G]` of
    them, each with upper left, upper right, lower left and lower right: `[..., 4, C / G]`.
    """
    _, height, width, channels = ops.shape(features)
    padded = ops.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]])
    shape = (-1, height + 2, width + 2, groups, 1, channels // groups)
    padded = ops.reshape(padded, shape)
    upper, lower = padded[:, :-1], padded[:, 1:]
    four = [upper[:, :, :-1], upper[:, :, 1:], lower[:, :, :-1], lower[:, :, 1:]]
    return ops.reshape(ops.concatenate(four, axis=4), (-1, 4, channels // groups))


def _split(positions, size):
    """Positions on an axis of `size` pixels: their places among the corners, and the shares there.

    All that is further out than the border of zeros is brought to its edge, where samples are zero.
    """
    positions = ops.clip(positions, -1.0, ops.cast(size, positions.dtype))
    # Clipped again, because of the far edge, and because NaN must not become an index.
    below = ops.clip(ops.cast(ops.floor(positions), "int32"), -1, size - 1)
    return below + 1, positions - ops.cast(below, positions.dtype)


@keras.saving.register_keras_serializable("mallenet_tf")
class DeformableConv(layers.Layer):
    """Modulated deformable convolution whose offsets come from a convolution of its own.

    The convolution for offsets and modulations starts at zero: the layer starts as an ordinary
    convolution with half its kernel, as the modulations pass a sigmoid.

    Args:
        filters: output channels; None for as many as the input has.
        kernel_size: K.
        groups: groups of channels with offsets of their own; 8 in both papers.
        activation: behind the bias, as Keras's layers take it.

    Call arguments:
        inputs: `[N, H, W, C]`, any H and W of at least 1; `groups` divides C.
        guide: what the offsets are made from, `[N, H, W, D]`; None for the inputs themselves.

    Output shape:
        `[N, H, W, filters]`.

    Raises:
        ValueError: if `kernel_size` is even or below 1, or `groups` does not divide C.

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
        **kwargs,
    ):
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd. Received: kernel_size={kernel_size}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.groups = groups
        self.activation = keras.activations.get(activation)
        self.offsets = layers.Conv2D(
            3 * kernel_size**2 * groups,
            3,
            padding="same",
            kernel_initializer="zeros",
            dtype=self.dtype_policy,
            name="offsets",
        )

    @property
    def receptive_field_radius(self) -> int:
        """How far, in features to one side, an input can reach; see `OFFSET_ALLOWANCE`."""
        return self.kernel_size // 2 + OFFSET_ALLOWANCE

    def build(self, inputs_shape, guide_shape=None):
        channels = inputs_shape[-1]
        if channels % self.groups:
            raise ValueError(
                "groups must divide the input's channels. "
                f"Received: groups={self.groups}, {channels} channels"
            )
        self.offsets.build(inputs_shape if guide_shape is None else guide_shape)
        filters = self.filters or channels
        shape = (self.kernel_size, self.kernel_size, channels, filters)
        self.kernel = self.add_weight(shape, "glorot_uniform", name="kernel")
        self.bias = self.add_weight((filters,), "zeros", name="bias")

    def call(self, inputs, guide=None):
        found = self.offsets(inputs if guide is None else guide)
        _, height, width, _ = ops.shape(inputs)
        found = ops.reshape(found, (-1, height, width, self.kernel_size**2, self.groups, 3))
        offsets, modulation = found[..., :2], ops.sigmoid(found[..., 2])
        kernel = ops.convert_to_tensor(self.kernel)
        return self.activation(
            deformable_convolution(inputs, offsets, modulation, kernel) + self.bias
        )

    def compute_output_shape(self, inputs_shape, guide_shape=None):
        return (*inputs_shape[:-1], self.filters or inputs_shape[-1])

    def get_config(self):
        config = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "groups": self.groups,
            "activation": keras.activations.serialize(self.activation),
        }
        return {**super().get_config(), **config}
