"""Finds videos for training and evaluation, and reads them as 8-bit frames."""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mallenet_tf.image_io.frame_folders import in_order
from mallenet_tf.image_io.images import EXTENSIONS, PathLike, decode_image, natural_key
from mallenet_tf.image_io.pixels import to_gray
from mallenet_tf.image_io.video_reader import (
    VIDEO_SUFFIXES,
    UnreadableVideoError,
    is_video_file,
    open_video,
)


@dataclasses.dataclass(frozen=True)
class FrameSequence:
    """One video: images in natural order, or a video file.

    Attributes:
        path: the folder or the file.
        images: the frames' files; empty for a video file.
    """

    path: Path
    images: tuple[Path, ...] = ()

    def read(self, channels: int = 3) -> Iterator[np.ndarray]:
        """Yields the frames in order, uint8 [height, width, channels], all of one size.

        Args:
            channels: 3 for RGB, 1 for gray (Pillow's "L").

        Raises:
            UnreadableVideoError, UnreadableImageError: for damaged files, or frames that differ in
                size.
            UserError: if it is a video file and PyAV is not installed.
        """
        if not self.images:
            with open_video(self.path) as video:
                for _, frame in video:
                    yield frame if channels == 3 else to_gray(frame)
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
        patterns: One or several of: a folder (searched recursively; hidden files are left out), a
            glob ("**" allowed), a video file. Of images that a glob names, those of one folder are
            one video.

    Returns:
        Sequences in natural order.

    Raises:
        FileNotFoundError: if a pattern matches no video.
    """
    if isinstance(patterns, str | os.PathLike):
        patterns = [patterns]
    files: set[Path] = set()
    for pattern in patterns:
        found = {path for path in _files(Path(pattern).expanduser()) if _is_known(path)}
        if not found:
            raise FileNotFoundError(
                f"No frames ({' '.join(sorted(EXTENSIONS))}) and no video files "
                f"({' '.join(VIDEO_SUFFIXES)}) there. Received: {pattern}"
            )
        files |= found
    folders: dict[Path, list[Path]] = {}
    for path in files:
        if not is_video_file(path):
            folders.setdefault(path.parent, []).append(path)
    sequences = [FrameSequence(path) for path in files if is_video_file(path)]
    sequences += [FrameSequence(path, in_order(images)) for path, images in folders.items()]
    return sorted(sequences, key=lambda sequence: natural_key(str(sequence.path)))


def _files(pattern: Path) -> list[Path]:
    matches = [pattern] if pattern.exists() else map(Path, glob.glob(str(pattern), recursive=True))
    files: list[Path] = []
    for match in matches:
        files += match.rglob("*") if match.is_dir() else [match]
    return files


def _is_known(path: Path) -> bool:
    known = is_video_file(path) or path.suffix.lower() in EXTENSIONS
    return known and path.is_file() and not path.name.startswith(".")
