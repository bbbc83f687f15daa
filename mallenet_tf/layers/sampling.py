"""Sampling pixels at positions between them (deformable_kernels.txt, section 3.1)."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

Tensor = Any


def sample(volume: Tensor, positions: Sequence[Tensor]) -> Tensor:
    """Interpolates linearly along every axis; whatever lies outside the volume is zero.

    Equation (7) with three axes, and its bilinear form with two. The gradients are those of
    appendix A. At whole positions, where the interpolation has kinks, they are the right-hand ones.

    Args:
        volume: `[N, size, ..., size, C]`.
        positions: one tensor per axis, all of shape `[N, ...]` or broadcast to it, in pixels from
            the centre of the first; of the volume's float type.

    Returns:
        `[N, ..., C]`.
    """
    batch, *sizes, channels = ops.shape(volume)
    # A ring of zeros, so that no position needs to be told apart; one more behind it, for the upper
    # neighbour of a position that lies on the ring.
    padded = ops.pad(volume, [[0, 0], *[[1, 2] for _ in sizes], [0, 0]])
    rank = len(positions[0].shape)
    index = ops.reshape(ops.arange(batch, dtype="int32"), (-1, *[1] * (rank - 1)))
    strides: list[Tensor] = []
    shares = []
    for position, size in zip(positions, sizes, strict=True):
        # Written such that NaN, in a training that diverges, is a position and no invalid index.
        inside = ops.where(position > -1.0, position, -1.0)
        inside = ops.minimum(inside, ops.cast(size, inside.dtype))
        lower = ops.floor(inside)
        shares.append((inside - lower)[..., None])
        index = index * (size + 3) + ops.cast(lower, "int32") + 1
        strides = [stride * (size + 3) for stride in strides] + [1]
    return _read(ops.reshape(padded, (-1, channels)), index, strides, shares)


def _read(pixels, index, strides, shares):
    """Mixes, along the first axis left, what is read on both sides of the position."""
    if not strides:
        return ops.take(pixels, index, axis=0)
    below = _read(pixels, index, strides[1:], shares[1:])
    above = _read(pixels, index + strides[0], strides[1:], shares[1:])
    return below + shares[0] * (above - below)


@keras.saving.register_keras_serializable("mallenet_tf")
class DeformableSampling(layers.Layer):
    """For every pixel, the pixels under a kernel whose taps are moved by offsets.

    Two dimensions: K x K taps in every frame, moved within it (equations 3 to 5). Three: one kernel
    of K x K x K taps around the middle frame's pixel, moved in space and time (equation 6).

    Source: deformable_kernels.txt, section 3.1.

    Args:
        dimensions: 2 or 3.
        kernel_size: K.
        frames: how many frames are stacked in the channels.
        max_offset: how many pixels an offset of 1 moves a tap. In time it is `frames // 2` frames,
            from the middle frame to the first or last.

    Input shape:
        Frames `[N, H, W, frames * C]`, the oldest first, and offsets from -1 to 1,
        `[N, H, W, taps * dimensions]`: y, x and in three dimensions t of each tap, taps in the
        order of frames (or time), rows and columns. Without offsets the taps stay on their grid.

    Output shape:
        `[N, H, W, taps * C]`, taps in the same order.

    Raises:
        ValueError: for other dimensions, a size below 1, an even kernel, or other channels.

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
        **kwargs,
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
        # The rigid grid: [taps, 3] of t, y, x; in two dimensions t is the number of the frame.
        self._grid = np.stack(np.meshgrid(slices, side, side, indexing="ij"), -1).reshape(-1, 3)
        self.taps = len(self._grid)

    def build(self, stack_shape, offsets_shape=None):
        numbers = self.taps * self.dimensions
        offsets = numbers if offsets_shape is None else offsets_shape[-1]
        if stack_shape[-1] % self.frames or offsets != numbers:
            raise ValueError(
                f"The frames' channels must be a multiple of {self.frames}, and the offsets' "
                f"{numbers}. Received: {stack_shape[-1]} channels of frames, {offsets} of offsets"
            )

    def call(self, stack, offsets=None):
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

    def _sample_frames(self, volume, positions):
        size = self.taps // self.frames
        parts = []
        for frame in range(self.frames):
            taps = slice(frame * size, (frame + 1) * size)
            parts.append(sample(volume[:, :, :, frame], [axis[..., taps] for axis in positions]))
        return ops.concatenate(parts, axis=-2)

    def compute_output_shape(self, stack_shape, offsets_shape=None):
        return (*stack_shape[:-1], self.taps * (stack_shape[-1] // self.frames))

    def get_config(self):
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
        if "reach" in config:  # what files written before December 2026 call max_offset
            config["max_offset"] = config.pop("reach")
        return cls(**config)
