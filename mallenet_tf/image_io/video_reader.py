"""Videos as frames: folders of images, and video files through PyAV. Without TensorFlow.

A video file's frames are uint8 RGB, upright, in the order in which they are shown, with the colours
that the file's tags say; files without tags are taken for BT.601, as FFmpeg takes them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mallenet_tf.common.errors import optional_module
from mallenet_tf.image_io.images import EXTENSIONS, PathLike, decode_image, natural_key

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".y4m")
# Transfer functions of ITU-T H.273 whose values are not those of a display of today.
_HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}
# libswscale's number for the matrix of a frame's, both by H.273; 5 is its default, BT.601.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
_FULL_RANGE = 2


class UnreadableVideoError(ValueError):
    """A file or folder that exists but does not hold a video that can be decoded."""


def av_module() -> Any:
    """PyAV, which is not part of every installation.

    Raises:
        UserError: if it is not installed; the message has the command that installs it.
    """
    return optional_module("av", "av>=17", "video")


def is_video_file(path: PathLike) -> bool:
    """Whether a path has a video file's suffix."""
    return Path(path).suffix.lower() in SUFFIXES


class Video:
    """An open video file: what it says about itself, and its frames, once.

    Attributes:
        height, width: of the upright frames, in pixels.
        rate: frames per second on average.
        time_base: seconds of one unit of the times.
        pixel_aspect: width of an upright frame's pixel by its height; 1 where the file says none.
        notes: what is left out or taken as it is, in words.
    """

    def __init__(self, path: Path, container: Any):
        self._path = path
        if not container.streams.video:
            raise UnreadableVideoError(f"The file holds no video. Received: {path}")
        self._stream = stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        self._decoded = container.decode(stream)
        with _decoding(path):
            self._first = next(self._decoded, None)
        if self._first is None:
            raise UnreadableVideoError(f"The video holds no frames. Received: {path}")
        transfer = int(stream.codec_context.color_trc or 0)
        if transfer in _HIGH_DYNAMIC_RANGE:
            raise UnreadableVideoError(
                f"The video has high dynamic range ({_HIGH_DYNAMIC_RANGE[transfer]}), which 8 bits "
                f"cannot hold; convert it to standard range first. Received: {path}"
            )
        self._turns = round(self._first.rotation / 90)
        height, width = self._first.height, self._first.width
        self.height, self.width = (width, height) if self._turns % 2 else (height, width)
        aspect = _fraction(stream.sample_aspect_ratio) or Fraction(1)
        self.pixel_aspect = 1 / aspect if self._turns % 2 else aspect
        # Fractions are made here: newer versions of PyAV have a type of their own, never None.
        self.rate = _fraction(stream.average_rate) or _fraction(stream.guessed_rate) or Fraction(25)
        timed = self._first.pts is not None and bool(stream.time_base)
        self.time_base = _fraction(stream.time_base) if timed else 1 / self.rate
        self._timed = timed
        bits = max(part.bits for part in self._first.format.components)
        self.notes = _notes(container, bits, self._first.interlaced_frame)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (time in units of `time_base`, uint8 [height, width, 3]).

        Raises:
            UnreadableVideoError: where the file is damaged, or its frames change their size.
        """
        frame, index = self._first, 0
        while frame is not None:
            pixels = np.rot90(_rgb(frame), self._turns)
            if pixels.shape[:2] != (self.height, self.width):
                raise UnreadableVideoError(
                    f"The video's frames change from {self.width} x {self.height} to "
                    f"{pixels.shape[1]} x {pixels.shape[0]} pixels at frame {index + 1}. "
                    f"Received: {self._path}"
                )
            yield (frame.pts if self._timed else index), np.ascontiguousarray(pixels)
            with _decoding(self._path):
                frame = next(self._decoded, None)
            index += 1


@contextlib.contextmanager
def open_video(path: PathLike) -> Iterator[Video]:
    """Opens a video file.

    Raises:
        FileNotFoundError: if there is no such file.
        UnreadableVideoError: if it is damaged, holds no video, or one of high dynamic range.
        UserError: if PyAV is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No such file. Received: {path}")
    with _decoding(path):
        container = av_module().open(str(path))
    with container:
        yield Video(path, container)


@contextlib.contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Says in our words that a file cannot be decoded."""
    try:
        yield
    except av_module().error.FFmpegError as error:
        reason = "the file is empty" if path.stat().st_size == 0 else error.strerror
        raise UnreadableVideoError(f"Not a readable video: {reason}. Received: {path}") from error


def _fraction(value: Any) -> Fraction:
    return Fraction(value.numerator, value.denominator) if value else Fraction(0)


def _rgb(frame: Any) -> np.ndarray:
    """uint8 [height, width, 3] of a decoded frame, by the matrix and the range of its tags."""
    if frame.format.is_rgb:
        return frame.to_ndarray(format="rgb24")
    full = frame.color_range == _FULL_RANGE or frame.format.name.startswith(("yuvj", "gray"))
    return frame.to_ndarray(
        format="rgb24",
        src_colorspace=_MATRICES.get(int(frame.colorspace), 5),
        src_color_range="JPEG" if full else "MPEG",
        dst_color_range="JPEG",
    )


def _notes(container: Any, bits: int, interlaced: bool) -> tuple[str, ...]:
    others = len(container.streams.video) - 1
    said = {
        "sound is not kept": container.streams.audio,
        "subtitles are not kept": container.streams.subtitles,
        f"{others} further video streams are not kept": others,
        f"8 of the {bits} bits of a value are kept": bits > 8,
        "interlaced frames are denoised as they are, both fields together": interlaced,
    }
    return tuple(note for note, holds in said.items() if holds)


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
                    yield frame if channels == 3 else _gray(frame)
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


def _gray(frame: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(frame).convert("L"))[..., None]


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
                f"({' '.join(SUFFIXES)}) there. Received: {pattern}"
            )
        files |= found
    folders: dict[Path, list[Path]] = {}
    for path in files:
        if not is_video_file(path):
            folders.setdefault(path.parent, []).append(path)
    sequences = [FrameSequence(path) for path in files if is_video_file(path)]
    sequences += [FrameSequence(path, in_order(images)) for path, images in folders.items()]
    return sorted(sequences, key=lambda sequence: natural_key(str(sequence.path)))


def in_order(images: Iterable[Path]) -> tuple[Path, ...]:
    """Frames' files in natural order of their names: frame2.png before frame10.png."""
    return tuple(sorted(images, key=lambda path: natural_key(path.name)))


def _files(pattern: Path) -> list[Path]:
    matches = [pattern] if pattern.exists() else map(Path, glob.glob(str(pattern), recursive=True))
    files: list[Path] = []
    for match in matches:
        files += match.rglob("*") if match.is_dir() else [match]
    return files


def _is_known(path: Path) -> bool:
    known = is_video_file(path) or path.suffix.lower() in EXTENSIONS
    return known and path.is_file() and not path.name.startswith(".")
