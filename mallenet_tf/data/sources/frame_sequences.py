"""Training windows of video: the same place in consecutive frames of folders and files.

A window is an odd number of frames, the same place in all of them, their channels stacked, the
oldest first: what a video network takes (deformable_kernels.txt, "Training and parameter settings":
"we crop at the same place of all the input frames").
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from mallenet_tf.data.random_numbers import made_from_numbers
from mallenet_tf.data.sources.image_bank import ImageBank, crop_function
from mallenet_tf.data.sources.image_folder import Patterns
from mallenet_tf.image_io.video_sequences import FrameSequence, list_sequences


class VideoSource:
    """What the pipeline asks of a source of windows, beside what it asks of every source."""

    def windows(
        self,
        first: int,
        wanted: Callable[[tf.Tensor], tf.Tensor],
        patch_size: int,
        channels: int,
        seed: int,
        frames: int,
    ) -> tf.data.Dataset:
        """Windows number `first`, first + 1, ... for which `wanted` is true.

        Args:
            first: Number of the first window.
            wanted: Maps int64 numbers to booleans, any shape.
            patch_size: Height and width of a crop.
            channels: 1 or 3.
            seed: Windows are a pure function of it and their number.
            frames: Of a window, odd.

        Returns:
            Data set of uint8 [patch_size, patch_size, frames * channels], without end.
        """
        raise NotImplementedError

    def patches(
        self,
        first: int,
        wanted: Callable[[tf.Tensor], tf.Tensor],
        patch_size: int,
        channels: int,
        seed: int,
    ) -> tf.data.Dataset:
        """Windows of a single frame, for networks that take images; see `windows`."""
        return self.windows(first, wanted, patch_size, channels, seed, frames=1)


@dataclasses.dataclass(frozen=True)
class FrameSequences(VideoSource):
    """Random windows of videos: folders of frames, and video files.

    All frames are decoded at the start and kept as uint8: they must fit into memory (twice, for a
    moment); cut long videos into scenes. Every window is used once per epoch, in an order that
    changes from epoch to epoch; the place of the crop is uniform. Frames smaller than the patch are
    extended by mirroring.

    Attributes:
        patterns: As `image_io.list_sequences` takes them.
        weight: Share of the samples, relative to the other sources.
        step: From one frame of a window to the next; a larger one means faster motion.
        max_memory: Most bytes that the decoded pixels may take.
    """

    patterns: Patterns
    weight: float = 1.0
    step: int = 1
    max_memory: int = 4 * 2**30

    def __post_init__(self) -> None:
        if self.step < 1:
            raise ValueError(f"The next frame is 1 or more ahead. Received: step={self.step}")

    def describe(self) -> str:
        """One line: how many videos, where from.

        Raises:
            FileNotFoundError: if there are none.
        """
        given = self.patterns
        where = given if isinstance(given, str | os.PathLike) else ", ".join(map(str, given))
        return f"{len(list_sequences(given))} videos ({where})"

    def load(self, channels: int, min_size: int, frames: int) -> ImageBank:
        """Decodes every frame.

        Args:
            channels: 1 or 3.
            min_size: Frames smaller than this are mirrored up to it.
            frames: Of a window.

        Returns:
            All frames one behind the other; the layout has a row for each window, its first frame.

        Raises:
            FileNotFoundError: if there are no videos.
            UnreadableVideoError, UnreadableImageError: if one cannot be decoded.
            ValueError: if one has too few frames, or they need more than `max_memory`.
        """
        parts: list[np.ndarray] = []
        layout: list[tuple[int, int, int]] = []
        end = 0
        for sequence in list_sequences(self.patterns):
            start, before = end, len(parts)
            for frame in sequence.read(channels):
                parts.append(_mirrored(frame, min_size))
                end += parts[-1].size
                if end > self.max_memory:
                    raise ValueError(
                        "The decoded frames take too much memory: raise max_memory, or use fewer "
                        f"or shorter videos. Received: max_memory={self.max_memory}"
                    )
            height, width = parts[-1].shape[:2]
            starts = _window_starts(sequence, len(parts) - before, frames, self.step)
            layout += [(start + index * parts[-1].size, height, width) for index in starts]
        pixels = np.concatenate([part.reshape(-1) for part in parts])
        return ImageBank(pixels, np.asarray(layout, np.int64), channels)

    def windows(
        self,
        first: int,
        wanted: Callable[[tf.Tensor], tf.Tensor],
        patch_size: int,
        channels: int,
        seed: int,
        frames: int,
    ) -> tf.data.Dataset:
        """As `VideoSource.windows`; errors as `load`."""
        bank = self.load(channels, patch_size, frames)
        crop = crop_function(bank, patch_size, seed, frames, self.step)
        return made_from_numbers(first, wanted, crop)


def _mirrored(frame: np.ndarray, min_size: int) -> np.ndarray:
    missing = [(0, max(0, min_size - side)) for side in frame.shape[:2]]
    return np.pad(frame, [*missing, (0, 0)], mode="symmetric") if np.any(missing) else frame


def _window_starts(sequence: FrameSequence, count: int, frames: int, step: int) -> range:
    starts = range(count - (frames - 1) * step)
    if not starts:
        raise ValueError(
            f"A video has too few frames for windows of {frames}, every {step}. "
            f"Received: {sequence.path} with {count}"
        )
    return starts
