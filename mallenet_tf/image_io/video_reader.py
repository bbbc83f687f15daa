"""Reads video files, a frame at a time, by PyAV.

Frames are uint8 RGB, upright, in the order in which they are shown. Colors follow the file's tags;
files without tags are read as BT.601, as FFmpeg does.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mallenet_tf.common.errors import UserError, optional_module
from mallenet_tf.image_io.file_search import NoFilesError

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".y4m")
# Transfer functions of high dynamic range, by their numbers in ITU-T H.273.
_HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}
# libswscale's number of a color matrix by that in H.273; 5, its default, is BT.601.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
_FULL_RANGE = 2


class UnreadableVideoError(UserError, ValueError):
    """A file or folder that exists but does not hold a video that can be decoded."""


def av_module() -> Any:
    """Imports PyAV, which is not part of every installation.

    Raises:
        UserError: If it is not installed; the message has the command that installs it.
    """
    return optional_module("av", "av>=17", "video")


def is_video_file(path: str | os.PathLike) -> bool:
    """Returns whether a path has the suffix of a video file."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


class FrameReader(Protocol):
    """Reads the frames of a video: a video file or a folder of images.

    Attributes:
        warnings: Conversion warnings: what reading changes or leaves out.
        rate: Frames per second; None if unknown.
        time_base: Seconds of one unit of `times`.
        times: Presentation times of the frames; complete once they have been read.
        pixel_aspect: Width of a pixel by its height.
    """

    warnings: list[str]
    rate: Fraction | None
    time_base: Fraction
    times: list[int]
    pixel_aspect: Fraction

    def frames(self) -> Iterator[np.ndarray]:
        """Reads the frames in order, [height, width, 1 or 3], from the first each time."""


class VideoFileReader:
    """Reads the frames of a video file; a `FrameReader`."""

    def __init__(self, path: Path):
        self.path = path
        self.times: list[int] = []
        with open_video(path) as video:
            self.warnings = list(video.warnings)
            self.rate: Fraction | None = video.rate
            self.time_base = video.time_base
            self.pixel_aspect = video.pixel_aspect

    def frames(self) -> Iterator[np.ndarray]:
        """Reads the frames in order, uint8 [height, width, 3]."""
        times = []
        with open_video(self.path) as video:
            for time, frame in video:
                times.append(time)
                yield frame
        self.times = times


class Video:
    """An open video file, whose frames can be read once.

    Attributes:
        height: Height of the upright frames in pixels.
        width: Width of the upright frames in pixels.
        rate: Frames per second on average.
        time_base: Seconds of one unit of the times.
        pixel_aspect: Width of an upright frame's pixel by its height; 1 if the file has none.
        warnings: Conversion warnings: what reading changes or leaves out.
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
        # Newer versions of PyAV have a type of their own, which is never None.
        self.rate = _fraction(stream.average_rate) or _fraction(stream.guessed_rate) or Fraction(25)
        timed = self._first.pts is not None and bool(stream.time_base)
        self.time_base = _fraction(stream.time_base) if timed else 1 / self.rate
        self._timed = timed
        bits = max(part.bits for part in self._first.format.components)
        self.warnings = _warnings(container, bits, self._first.interlaced_frame)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (time in units of `time_base`, uint8 [height, width, 3]).

        Raises:
            UnreadableVideoError: If the file is damaged, or its frames change their size.
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
def open_video(path: str | os.PathLike) -> Iterator[Video]:
    """Opens a video file.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableVideoError: If it is damaged, holds no video, or one of high dynamic range.
        UserError: If PyAV is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise NoFilesError(f"No such file. Received: {path}")
    with _decoding(path):
        container = av_module().open(str(path))
    with container:
        yield Video(path, container)


@contextlib.contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turns the errors of FFmpeg into `UnreadableVideoError`."""
    try:
        yield
    except av_module().error.FFmpegError as error:
        reason = "the file is empty" if path.stat().st_size == 0 else error.strerror
        raise UnreadableVideoError(f"Not a readable video: {reason}. Received: {path}") from error


def _fraction(value: Any) -> Fraction:
    return Fraction(value.numerator, value.denominator) if value else Fraction(0)


def _rgb(frame: Any) -> np.ndarray:
    """Converts a decoded frame to uint8 [height, width, 3] by the matrix and range of its tags."""
    if frame.format.is_rgb:
        return frame.to_ndarray(format="rgb24")
    full = frame.color_range == _FULL_RANGE or frame.format.name.startswith(("yuvj", "gray"))
    return frame.to_ndarray(
        format="rgb24",
        src_colorspace=_MATRICES.get(int(frame.colorspace), 5),
        src_color_range="JPEG" if full else "MPEG",
        dst_color_range="JPEG",
    )


def _warnings(container: Any, bits: int, interlaced: bool) -> tuple[str, ...]:
    others = len(container.streams.video) - 1
    said = {
        "sound is not kept": container.streams.audio,
        "subtitles are not kept": container.streams.subtitles,
        f"{others} further video streams are not kept": others,
        f"8 of the {bits} bits of a value are kept": bits > 8,
        "frames are interlaced and stay so": interlaced,
    }
    return tuple(text for text, holds in said.items() if holds)
