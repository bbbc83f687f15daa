"""Denoises the frames of a video; holds a window of frames in memory at a time.

A network for images gets each frame by itself. A network for video gets the frames around the one
that it denoises. They are reflected at both ends of the video, without the end itself, so that no
frame's noise stands beside its own copy: before frame 0 comes frame 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.inference.denoiser import Denoiser

# The noise level is the median over at most so many frames, evenly spread.
MOST_SAMPLES = 8

T = TypeVar("T")


def windows(frames: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yields the `size` frames around each frame, `size` odd, the oldest first.

    Frames beyond an end are reflected at it, repeatedly in a short video. At most `size` frames are
    held at a time.
    """
    radius = size // 2
    iterator = iter(frames)
    held: list[T] = []
    first, center, ended = 0, 0, False  # of the video: the first frame held, the one to yield
    while True:
        while not ended and first + len(held) <= center + radius:
            try:
                held.append(next(iterator))
            except StopIteration:
                ended = True
        known = first + len(held)
        if center >= known:
            return
        around = range(center - radius, center + radius + 1)
        yield [held[_reflected(index, known) - first] for index in around]
        center += 1
        if first < center - radius:
            del held[0]
            first += 1


def _reflected(index: int, count: int) -> int:
    """Returns the frame, of `count`, that stands for `index`, which may be beyond an end."""
    if count == 1:
        return 0
    place = abs(index) % (2 * (count - 1))
    return min(place, 2 * (count - 1) - place)


@dataclasses.dataclass
class Survey:
    """What one reading of a video tells before the work begins.

    Attributes:
        count: Number of frames.
        shape: [height, width, 1 or 3] of each frame.
        dtype: Type of their values.
        samples: A few frames, evenly spread.
    """

    count: int
    shape: tuple[int, ...]
    dtype: np.dtype
    samples: list[np.ndarray]

    @property
    def linear(self) -> bool:
        """Whether the frames are floats, which hold linear light."""
        return self.dtype.kind == "f"

    def bytes_held(self, frames: int) -> int:
        """Returns the memory of frames for a network that takes so many.

        These are the window, the same stacked, a result, and a frame to write.
        """
        return int(np.prod(self.shape)) * self.dtype.itemsize * (2 * frames + 2)


def survey(frames: Iterable[np.ndarray], source: str | Path) -> Survey:
    """Reads a video once, so that mistakes show before hours of work.

    Args:
        frames: [height, width, 1 or 3] each.
        source: Name of the video in messages.

    Raises:
        UserError: If there are no frames, or they differ in size, color or type.
    """
    samples: list[np.ndarray] = []
    step = 1  # between samples
    count = 0
    kind = None
    for frame in frames:
        kind = kind or (frame.shape, frame.dtype)
        if (frame.shape, frame.dtype) != kind:
            raise UserError(
                "The frames of a video must be alike in size, color and depth. Received: frame 1 "
                f"{_described(*kind)}, frame {count + 1} {_described(frame.shape, frame.dtype)} "
                f"in {source}"
            )
        if count % step == 0:
            if len(samples) == MOST_SAMPLES:
                samples, step = samples[::2], 2 * step
            if count % step == 0:
                samples.append(frame)
        count += 1
    if kind is None:
        raise UserError(f"The video holds no frames. Received: {source}")
    return Survey(count, *kind, samples)


def _described(shape: tuple[int, ...], dtype: np.dtype) -> str:
    colors = "gray" if shape[2] == 1 else "RGB"
    return f"{shape[1]} x {shape[0]} {colors} {dtype}"


def denoise_frames(
    frames: Iterable[np.ndarray],
    denoiser: Denoiser,
    sigma: float | None = None,
    done: Iterable[bool] = (),
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Denoises frames in order.

    Args:
        frames: [height, width, 1 or 3], all alike; uint8, uint16, or floats in linear light.
        denoiser: With a network for images or for video.
        sigma: Noise level in 8-bit units for a noise-conditioned network, one for the whole video.
            None only for networks that take none.
        done: Which frames need no denoising, from the first on.

    Yields:
        (frame, denoised frame of the same shape and type, or None where it is done).
    """
    finished = iter(done)
    for window in windows(frames, denoiser.frames):
        middle = window[len(window) // 2]
        if next(finished, False):
            yield middle, None
            continue
        yield middle, denoiser.denoise_window(window, sigma, linear_light=middle.dtype.kind == "f")
