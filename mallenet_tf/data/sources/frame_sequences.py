"""Videos as training sources: folders of frames, and video files.

A sample is an odd number of frames, cut at the same place, their channels stacked, the oldest
first: what a video network takes (deformable_kernels.txt, "Training and parameter settings": "we
crop at the same place of all the input frames").
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from mallenet_tf.data.sources.base import SampleShape, VideoSource
from mallenet_tf.data.sources.image_bank import ImageBank, crop_function, extend
from mallenet_tf.data.sources.image_folder import Patterns, join_patterns
from mallenet_tf.image_io.video_sequences import FrameSequence, list_sequences


@dataclasses.dataclass(frozen=True)
class FrameSequences(VideoSource):
    """Random crops of consecutive frames of videos.

    All frames are decoded at the start and kept as uint8: they must fit into memory, for a moment
    twice; cut long videos into scenes. Every run of frames is used once per epoch, in an order that
    changes from epoch to epoch; the place of the crop is uniform. Frames smaller than the patch are
    extended by mirroring.

    Attributes:
        patterns: Folders and files, see `image_io.list_sequences`.
        weight: Share of the samples, relative to the other sources.
        step: Distance from one frame of a sample to the next; more than 1 means faster motion.
        max_memory: Most bytes that the decoded pixels may take.

    Raises:
        ValueError: If `step` is below 1.
    """

    patterns: Patterns
    step: int = 1
    max_memory: int = 4 * 2**30

    def __post_init__(self) -> None:
        if self.step < 1:
            raise ValueError(f"The next frame is 1 or more ahead. Received: step={self.step}")

    def describe(self) -> str:
        """Returns how many videos there are, and where.

        Raises:
            FileNotFoundError: If there are none.
        """
        return f"{len(list_sequences(self.patterns))} videos ({join_patterns(self.patterns)})"

    def load(self, channels: int, min_size: int, frames: int) -> ImageBank:
        """Decodes every frame.

        Args:
            channels: 1 or 3.
            min_size: Frames with a smaller side are extended to this.
            frames: Number of frames in a sample.

        Returns:
            All frames, one after the other; the layout has a row for the first frame of each
            sample.

        Raises:
            FileNotFoundError: If there are no videos.
            UnreadableVideoError, UnreadableImageError: If one cannot be decoded.
            ValueError: If one has too few frames, or they need more than `max_memory`.
        """
        decoded: list[np.ndarray] = []
        layout: list[tuple[int, int, int]] = []
        end = 0
        for sequence in list_sequences(self.patterns):
            start, before = end, len(decoded)
            for frame in sequence.read(channels):
                decoded.append(extend(frame, min_size))
                end += decoded[-1].size
                if end > self.max_memory:
                    raise ValueError(
                        "The decoded frames take too much memory: raise max_memory, or use fewer "
                        f"or shorter videos. Received: max_memory={self.max_memory}"
                    )
            height, width = decoded[-1].shape[:2]
            starts = self._sample_starts(sequence, len(decoded) - before, frames)
            layout += [(start + index * decoded[-1].size, height, width) for index in starts]
        pixels = np.concatenate([frame.reshape(-1) for frame in decoded])
        return ImageBank(pixels, np.asarray(layout, np.int64), channels)

    def _sample_starts(self, sequence: FrameSequence, count: int, frames: int) -> range:
        """Returns the first frames of the samples of a video with `count` frames."""
        starts = range(count - (frames - 1) * self.step)
        if not starts:
            raise ValueError(
                f"A video has too few frames for samples of {frames}, every {self.step}. "
                f"Received: {sequence.path} with {count}"
            )
        return starts

    def sample_function(self, shape: SampleShape, seed: int) -> Callable[[tf.Tensor], tf.Tensor]:
        bank = self.load(shape.channels, shape.patch_size, shape.frames)
        return crop_function(bank, shape.patch_size, seed, shape.frames, self.step)
