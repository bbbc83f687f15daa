"""Denoising a video: a window of frames around each, only so many in memory at a time.

A network for images gets every frame by itself. A network for video gets the frames around the one
it denoises; at both ends of the video they are reflected, without the end itself, so that no
frame's noise stands beside its own copy: before frame 0 comes frame 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.panels import row_of_panels
from mallenet_tf.inference.denoiser import Denoiser
from mallenet_tf.inference.noise_level import NoiseLevel, resolve_level

# The noise level is the median over at most so many frames, evenly spread.
MOST_SAMPLES = 8

T = TypeVar("T")


def windows(frames: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yields the `size` frames around each frame, `size` odd, the oldest first.

    Frames beyond an end are reflected at it, to and fro in a short video. At most `size` frames are
    held at a time.
    """
    reach = size // 2
    iterator = iter(frames)
    held: list[T] = []
    first, centre, ended = 0, 0, False  # of the video: the first frame held, the one to yield
    while True:
        while not ended and first + len(held) <= centre + reach:
            try:
                held.append(next(iterator))
            except StopIteration:
                ended = True
        known = first + len(held)
        if centre >= known:
            return
        around = range(centre - reach, centre + reach + 1)
        yield [held[_reflected(index, known) - first] for index in around]
        centre += 1
        if first < centre - reach:
            del held[0]
            first += 1


def _reflected(index: int, count: int) -> int:
    """The frame of `count` that stands in for `index`, which may be beyond an end."""
    if count == 1:
        return 0
    place = abs(index) % (2 * (count - 1))
    return min(place, 2 * (count - 1) - place)


@dataclasses.dataclass
class Survey:
    """What one reading of a video tells before the work begins.

    Attributes:
        count: frames.
        shape: [height, width, 1 or 3] of each.
        dtype: of their values.
        samples: a few frames, evenly spread.
    """

    count: int
    shape: tuple[int, ...]
    dtype: np.dtype
    samples: list[np.ndarray]

    def level(self, denoiser: Denoiser, sigma: float | None) -> NoiseLevel:
        """The noise level of the whole video: sigma, or estimated from the samples."""
        return resolve_level(denoiser.model, self.samples, sigma, self.dtype.kind == "f")


def survey(frames: Iterable[np.ndarray], size: int) -> Survey:
    """Reads a video once, so that what is wrong with it shows before hours of work.

    Args:
        frames: [height, width, 1 or 3].
        size: Frames that the network takes.

    Raises:
        UserError: if there are no frames, a single one for a network that takes several, or frames
            that differ in size, colour or type.
    """
    samples: list[np.ndarray] = []
    apart = 1  # of the samples
    count = 0
    kind = None
    for frame in frames:
        kind = kind or (frame.shape, frame.dtype)
        if (frame.shape, frame.dtype) != kind:
            raise UserError(
                "The frames of a video must be alike in size, colour and depth. Received: frame 1 "
                f"{_described(*kind)}, frame {count + 1} {_described(frame.shape, frame.dtype)}"
            )
        if count % apart == 0:
            if len(samples) == MOST_SAMPLES:
                samples, apart = samples[::2], 2 * apart
            if count % apart == 0:
                samples.append(frame)
        count += 1
    if kind is None:
        raise UserError("The video holds no frames.")
    if count < 2 <= size:
        raise UserError(
            f"The network denoises a frame from {size} around it, and the video has a single one; "
            "use the weights of a network for images. Received: 1 frame"
        )
    return Survey(count, *kind, samples)


def _described(shape: tuple[int, ...], dtype: np.dtype) -> str:
    colour = "gray" if shape[2] == 1 else "RGB"
    return f"{shape[1]} x {shape[0]} {colour} {dtype}"


def denoise_frames(
    frames: Iterable[np.ndarray],
    denoiser: Denoiser,
    sigma: float | None = None,
    done: Iterable[bool] = (),
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Denoises a video.

    Args:
        frames: [height, width, 1 or 3], all alike; uint8, uint16, or floats in linear light.
        denoiser: With a network for images or for video.
        sigma: Noise level in 8-bit units of a noise-conditioned network, one for the whole video;
            None only for networks that take none.
        done: Which frames need no denoising, from the first on.

    Yields:
        (frame, denoised frame of the same shape and type, or None where it is done) in order.
    """
    finished = iter(done)
    for window in windows(frames, denoiser.frames):
        middle = window[len(window) // 2]
        if next(finished, False):
            yield middle, None
            continue
        yield middle, denoiser.denoise_window(window, sigma, linear_light=middle.dtype.kind == "f")


def temporal_profile(noisy: list[np.ndarray], denoised: list[np.ndarray]) -> np.ndarray:
    """What becomes of one row over time, after deformable_kernels.txt, Fig. 7.

    Args:
        noisy: The row in each frame, uint8 [width, 1 or 3].
        denoised: The same of the result.

    Returns:
        uint8 [height, width', 3]: both side by side, time running down, a pixel a frame.
    """
    return row_of_panels([np.stack(noisy), np.stack(denoised)], ["noisy", "denoised"])
