"""Finds videos for training and evaluation, and reads them as 8-bit frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mallenet_tf.image_io.file_kinds import VIDEO_SUFFIXES, is_video_file
from mallenet_tf.image_io.file_search import PathLike, find_files, natural_order
from mallenet_tf.image_io.formats import INTEGER_SUFFIXES
from mallenet_tf.image_io.image_reader import decode_image
from mallenet_tf.image_io.pixels import to_eight_bits, to_gray
from mallenet_tf.image_io.video_reader import UnreadableVideoError, open_video


@dataclasses.dataclass(frozen=True)
class FrameSequence:
    """A video: a folder of images in natural order, or a video file.

    Attributes:
        path: The folder or the file.
        images: The frames' files; empty for a video file.
    """

    path: Path
    images: tuple[Path, ...] = ()

    def read(self, channels: int = 3) -> Iterator[np.ndarray]:
        """Reads the frames in order.

        Args:
            channels: 3 for RGB, 1 for gray.

        Yields:
            uint8 [height, width, channels], all of one size.

        Raises:
            UnreadableImageError: If a frame's file cannot be decoded.
            UnreadableVideoError: If a video file is damaged, or the frames differ in size.
            UserError: If it is a video file and PyAV is not installed.
        """
        if not self.images:
            with open_video(self.path) as video:
                for _, frame in video:
                    eight = to_eight_bits(frame)
                    yield eight if channels == 3 else to_gray(eight)
            return
        shape: tuple[int, ...] | None = None
        for image in self.images:
            frame = decode_image(image, channels)
            if shape not in (None, frame.shape):
                raise UnreadableVideoError(
                    f"The frames of a video must have one size. Received: {self.images[0]} "
                    f"{shape[1]} x {shape[0]}, {image} {frame.shape[1]} x {frame.shape[0]}"
                )
            shape = frame.shape
            yield frame


def list_sequences(patterns: PathLike | Iterable[PathLike]) -> list[FrameSequence]:
    """Finds videos: every video file, and every folder that holds images, which are its frames.

    Args:
        patterns: As in `file_search.find_files`; folders are searched recursively. Of images that a
            glob or a list names, those of one folder are one video.

    Returns:
        Sequences in natural order.

    Raises:
        FileNotFoundError: If a pattern matches no video.
        ValueError: If no pattern is given.
    """
    found = find_files(patterns, {*INTEGER_SUFFIXES, *VIDEO_SUFFIXES}, "image or video")
    sequences: dict[Path, list[Path]] = {}
    for file in natural_order({file for file, _ in found}):
        if is_video_file(file):
            sequences[file] = []
        else:
            sequences.setdefault(file.parent, []).append(file)
    return [FrameSequence(path, tuple(sequences[path])) for path in natural_order(sequences)]
