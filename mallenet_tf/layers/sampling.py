"""Sampling at positions between pixels (deformable_kernels.txt, section 3.1)."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from mallenet_tf.common.types import Shape, Tensor


def sample(volume: Tensor, positions: Sequence[Tensor]) -> Tensor:
    """Interpolates linearly along every axis, zero outside the volume.

    This is equation (7) for three axes and its bilinear form for two, with the gradients of
    appendix A. At integer positions, where the interpolation is not differentiable, they are the
    right-hand derivatives.

    Args:
        volume: `[N, size, ..., size, C]`.
        positions: One tensor per axis, all of shape `[N, ...]` or broadcast to it, of the volume's
            float type. Positions are in pixels from the center of the first pixel.

    Returns:
        `[N, ..., C]`.
    """
    batch, *sizes, channels = ops.shape(volume)
    # A border of zeros makes positions outside ordinary ones; a second one at the end is the upper
    # neighbor of positions on the border.
    padded = ops.pad(volume, [[0, 0], *[[1, 2] for _ in sizes], [0, 0]])
    rank = len(positions[0].shape)
    index = ops.reshape(ops.arange(batch, dtype="int32"), (-1, *[1] * (rank - 1)))
    strides: list[Tensor] = []
    shares = []
    for position, size in zip(positions, sizes, strict=True):
        # NaN, when a training diverges, becomes -1 and not an invalid index.
        inside = ops.where(position > -1.0, position, -1.0)
        inside = ops.minimum(inside, ops.cast(size, inside.dtype))
        lower = ops.floor(inside)
        shares.append((inside - lower)[..., None])
        index = index * (size + 3) + ops.cast(lower, "int32") + 1
        strides = [stride * (size + 3) for stride in strides] + [1]
    return _read(ops.reshape(padded, (-1, channels)), index, strides, shares)


def _read(
    pixels: Tensor, index: Tensor, strides: Sequence[Tensor], shares: Sequence[Tensor]
) -> Tensor:
    """Interpolates along the first of the remaining axes."""
    if not strides:
        return ops.take(pixels, index, axis=0)
    below = _read(pixels, index, strides[1:], shares[1:])
    above = _read(pixels, index + strides[0], strides[1:], shares[1:])
    return below + shares[0] * (above - below)


@keras.saving.register_keras_serializable("mallenet_tf")
class DeformableSampling(layers.Layer):
    """Samples the pixels at the taps of a kernel that offsets deform at every pixel.

    With two dimensions, each frame has K x K taps that move within it (equations 3 to 5). With
    three, one kernel of K x K x K taps around the middle frame's pixel moves in space and time
    (equation 6).

    Source: deformable_kernels.txt, section 3.1.

    Args:
        dimensions: 2 or 3.
        kernel_size: K, side of the kernel.
        frames: Number of frames stacked in the channels.
        max_offset: Pixels that an offset of 1 moves a tap. In time an offset of 1 is `frames // 2`
            frames, from the middle frame to the last.

    Input shape:
        Frames `[N, H, W, frames * C]`, the oldest first, and offsets from -1 to 1,
        `[N, H, W, taps * dimensions]`: y, x and, in three dimensions, t of each tap. Taps are in
        the order of frames (or time), rows and columns. Without offsets the taps stay on their
        grid.

    Output shape:
        `[N, H, W, taps * C]`, taps in the same order.

    Raises:
        ValueError: If `dimensions` is not 2 or 3, a size is below 1, `kernel_size` is even or the
            number of channels does not match.

    Example:
        >>> sampling = DeformableSampling(3, kernel_size=3, frames=5)
        >>> sampling(keras.ops.ones((1, 8, 6, 5)), keras.ops.zeros((1, 8, 6, 81))).shape
        TensorShape([1, 8, 6, 27])
    """

    def __init__(
        self,
        dimensions: int = 2,
        kernel_size: int = 5,
        frames: int = 1,
        max_offset: float = 16.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if dimensions not in (2, 3):
            raise ValueError(f"dimensions must be 2 or 3. Received: dimensions={dimensions}")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd. Received: kernel_size={kernel_size}")
        if frames < 1:
            raise ValueError(f"frames must be at least 1. Received: frames={frames}")
        self.dimensions = dimensions
        self.kernel_size = kernel_size
        self.frames = frames
        self.max_offset = max_offset
        radius = kernel_size // 2
        side = np.arange(-radius, radius + 1)
        slices = side if dimensions == 3 else np.arange(frames)
        # The rigid grid: [taps, 3] of t, y, x; in two dimensions t is the frame's index.
        self._grid = np.stack(np.meshgrid(slices, side, side, indexing="ij"), -1).reshape(-1, 3)
        self.taps = len(self._grid)

    def build(self, stack_shape: Shape, offsets_shape: Shape | None = None) -> None:
        numbers = self.taps * self.dimensions
        offsets = numbers if offsets_shape is None else offsets_shape[-1]
        if stack_shape[-1] % self.frames or offsets != numbers:
            raise ValueError(
                f"The frames' channels must be a multiple of {self.frames}, and the offsets' "
                f"{numbers}. Received: {stack_shape[-1]} channels of frames, {offsets} of offsets"
            )

    def call(self, stack: Tensor, offsets: Tensor | None = None) -> Tensor:
        _, height, width, _ = ops.shape(stack)
        if offsets is None:
            moves = ops.zeros((1, 1, 1, self.taps, self.dimensions))
        else:
            shape = (-1, height, width, self.taps, self.dimensions)
            moves = ops.reshape(ops.cast(offsets, "float32"), shape)
        grid = self._grid.astype(np.float32)
        rows = ops.reshape(ops.arange(height, dtype="float32"), (1, -1, 1, 1))
        columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, -1, 1))
        positions = [
            rows + grid[:, 1] + self.max_offset * moves[..., 0],
            columns + grid[:, 2] + self.max_offset * moves[..., 1],
        ]
        volume = ops.reshape(
            ops.cast(stack, "float32"),
            (-1, height, width, self.frames, stack.shape[-1] // self.frames),
        )
        if self.dimensions == 3:
            middle = self.frames // 2
            positions.append(middle + grid[:, 0] + middle * moves[..., 2])
            samples = sample(volume, positions)
        else:
            samples = self._sample_frames(volume, positions)
        samples = ops.reshape(samples, (-1, height, width, self.taps * volume.shape[-1]))
        return ops.cast(samples, self.compute_dtype)

    def _sample_frames(self, volume: Tensor, positions: Sequence[Tensor]) -> Tensor:
        size = self.taps // self.frames
        samples = []
        for frame in range(self.frames):
            taps = slice(frame * size, (frame + 1) * size)
            samples.append(sample(volume[:, :, :, frame], [axis[..., taps] for axis in positions]))
        return ops.concatenate(samples, axis=-2)

    def compute_output_shape(self, stack_shape: Shape, offsets_shape: Shape | None = None) -> Shape:
        return (*stack_shape[:-1], self.taps * (stack_shape[-1] // self.frames))

    def get_config(self) -> dict[str, Any]:
        config = {
            "dimensions": self.dimensions,
            "kernel_size": self.kernel_size,
            "frames": self.frames,
            "max_offset": self.max_offset,
        }
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "DeformableSampling":
        config = dict(config)
        if "reach" in config:  # max_offset in files written before December 2026
            config["max_offset"] = config.pop("reach")
        return cls(**config)
