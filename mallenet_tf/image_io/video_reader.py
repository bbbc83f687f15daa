"""Reads video files, a frame at a time, by PyAV.

Frames are RGB, uint8 or with more bits uint16, upright, in the order in which they are shown.
Colors follow the file's tags; files without tags are read as BT.601, as FFmpeg does.
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
from mallenet_tf.common.files import unchanging
from mallenet_tf.image_io.file_search import NoFilesError

# Transfer functions of high dynamic range, by their numbers in ITU-T H.273.
_HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}
# libswscale's number of a color matrix by that in H.273; 5, its default, is BT.601.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
_FULL_RANGE = 2
# Formats whose header says how long the whole file is; of others FFmpeg guesses it.
_FORMATS_WITH_DURATION = {"matroska", "mov", "avi", "flv", "asf", "mxf", "nut"}
_MICROSECONDS = 1_000_000  # FFmpeg's unit for the times of a file.


class UnreadableVideoError(UserError, ValueError):
    """A file or folder that exists but does not hold a video that can be decoded."""


def av_module() -> Any:
    """Imports PyAV, which is not part of every installation.

    Raises:
        UserError: If it is not installed; the message has the command that installs it.
    """
    return optional_module("av", "av>=17", "video")


class FrameReader(Protocol):
    """Reads the frames of a video: a video file or a folder of images.

    Attributes:
        warnings: Conversion warnings: what reading changes or leaves out.
        rate: Frames per second; None if unknown.
        time_base: Seconds of one unit of `times`.
        times: Presentation times of the frames; complete once they have been read.
        pixel_aspect: Width of a pixel by its height.
        bits: Bits of a value that are worth writing.
        companions: The video file with the sound and all else that belongs to the frames, or None.
        damage: What could not be read, once the frames have been; None if nothing.
    """

    warnings: list[str]
    rate: Fraction | None
    time_base: Fraction
    times: list[int]
    pixel_aspect: Fraction
    bits: int
    companions: Path | None
    damage: str | None

    def frames(self) -> Iterator[np.ndarray]:
        """Reads the frames in order, [height, width, 1 or 3], from the first each time."""


class VideoFileReader:
    """Reads the frames of a video file; a `FrameReader`."""

    def __init__(self, path: Path):
        self.companions: Path | None = path
        self.times: list[int] = []
        self.damage: str | None = None
        with open_video(path) as video:
            self.warnings = video.warnings
            self.rate: Fraction | None = video.rate
            self.time_base = video.time_base
            self.pixel_aspect = video.pixel_aspect
            self.bits = video.bits
        self._path = path

    def frames(self) -> Iterator[np.ndarray]:
        """Reads the frames in order, uint8 or uint16 [height, width, 3]."""
        times = []
        with unchanging(self._path), open_video(self._path) as video:
            for time, frame in video:
                times.append(time)
                yield frame
            self.warnings, self.damage = video.warnings, video.damage
        self.times = times


class Video:
    """An open video file, whose frames can be read once.

    Attributes:
        height: Height of the upright frames in pixels.
        width: Width of the upright frames in pixels.
        rate: Frames per second on average.
        time_base: Seconds of one unit of the times.
        pixel_aspect: Width of an upright frame's pixel by its height; 1 if the file has none.
        bits: Bits of a value; frames of more than 8 are uint16.
        warnings: Conversion warnings: what reading leaves out, and whether frames are interlaced.
    """

    def __init__(self, path: Path, container: Any):
        self._path = path
        self._container, self._stream = container, (stream := _video_stream(path, container))
        stream.thread_type = "AUTO"
        self._end = Fraction(0)  # Seconds up to which packets of any stream were read.
        self._packets = self._failures = 0
        self._decoded = self._decode()
        self._first = next(self._decoded, None)
        if self._first is None:
            raise UnreadableVideoError(
                f"The video holds no frames{' that can be decoded' * bool(self._failures)}. "
                f"Received: {path}"
            )
        transfer = int(stream.codec_context.color_trc or 0)
        if transfer in _HIGH_DYNAMIC_RANGE:
            raise UnreadableVideoError(
                f"The video has high dynamic range ({_HIGH_DYNAMIC_RANGE[transfer]}), which no "
                f"network here knows; convert it to standard range first. Received: {path}"
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
        self.bits = max(part.bits for part in self._first.format.components)
        self._interlaced = bool(self._first.interlaced_frame)

    @property
    def warnings(self) -> list[str]:
        """Conversion warnings: what reading leaves out, and whether frames are interlaced."""
        others = len(self._container.streams.video) - 1
        # Chapters of MP4 files are a data stream too.
        data = len(self._container.streams.data) - bool(self._container.chapters())
        said = {
            f"{others} further video streams are not kept": others,
            f"{data} data streams are not kept": data > 0,
            "frames are interlaced and stay so; deinterlace them first": self._interlaced,
        }
        return [text for text, holds in said.items() if holds]

    @property
    def damage(self) -> str | None:
        """What could not be read, once all frames have been asked for; None if nothing."""
        found = []
        failures = self._failures
        if self._container.format.name == "avi":  # Its header counts the frames.
            failures = max(failures, self._stream.frames - self._packets)
        if failures:
            found.append(f"{failures} frames are damaged or missing")
        if self._named_duration is not None:
            rest = self._named_duration - self._end
            if rest > max(Fraction(1, 2), 2 / self.rate):
                found.append(
                    f"the file ends early, after {float(self._end):.1f} of "
                    f"{float(self._named_duration):.1f} seconds"
                )
        return "; ".join(found) or None

    @property
    def _named_duration(self) -> Fraction | None:
        """The seconds at which the file ends by its header; None if the header does not say."""
        named = _FORMATS_WITH_DURATION.intersection(self._container.format.name.split(","))
        if not named or not self._container.duration:
            return None
        start = self._container.start_time or 0
        return Fraction(start + self._container.duration, _MICROSECONDS)

    def _decode(self) -> Iterator[Any]:
        """Yields the frames that can be decoded, and counts what cannot."""
        errors = av_module().error.FFmpegError
        packets = self._container.demux()  # Of all streams, whose ends tell whether the file does.
        while (packet := self._next_packet(packets)) is not None:
            if packet.pts is not None and packet.time_base:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                self._end = max(self._end, end)
            if packet.stream is not self._stream:
                continue
            self._packets += packet.size > 0
            self._failures += packet.is_corrupt
            try:
                frames = packet.decode()
            except errors:
                self._failures += 1
                continue
            self._failures += sum(frame.is_corrupt for frame in frames)
            yield from frames

    def _next_packet(self, packets: Iterator[Any]) -> Any:
        try:
            return next(packets, None)
        except av_module().error.FFmpegError:
            self._failures += 1
            return None

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (time in units of `time_base`, uint8 or uint16 [height, width, 3]).

        Raises:
            UnreadableVideoError: If the frames change their size.
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
            self._interlaced |= bool(frame.interlaced_frame)
            yield (frame.pts if self._timed else index), np.ascontiguousarray(pixels)
            frame = next(self._decoded, None)
            index += 1


@contextlib.contextmanager
def open_video(path: str | os.PathLike) -> Iterator[Video]:
    """Opens a video file.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableVideoError: If nothing in it can be decoded, or it has high dynamic range.
        UserError: If PyAV is not installed.
    """
    path = Path(path)
    with open_container(path) as container:
        yield Video(path, container)


@contextlib.contextmanager
def open_container(path: Path) -> Iterator[Any]:
    """Opens a video file as PyAV's container; raises as `open_video`."""
    if not path.is_file():
        raise NoFilesError(f"No such file. Received: {path}")
    av = av_module()
    try:
        container = av.open(str(path), metadata_errors="replace")
    except av.error.FFmpegError as error:
        reason = "the file is empty" if path.stat().st_size == 0 else error.strerror
        raise UnreadableVideoError(f"Not a readable video: {reason}. Received: {path}") from error
    with container:
        yield container


def _video_stream(path: Path, container: Any) -> Any:
    """Returns the first video stream that is no cover picture."""
    pictures = av_module().stream.Disposition.attached_pic
    for stream in container.streams.video:
        if not stream.disposition & pictures and stream.codec_context is not None:
            return stream
    raise UnreadableVideoError(f"The file holds no video that can be decoded. Received: {path}")


def _fraction(value: Any) -> Fraction:
    return Fraction(value.numerator, value.denominator) if value else Fraction(0)


def _rgb(frame: Any) -> np.ndarray:
    """Converts a decoded frame to RGB, uint8 or uint16, by the matrix and range of its tags."""
    deep = max(part.bits for part in frame.format.components) > 8
    form = "rgb48le" if deep else "rgb24"
    if frame.format.is_rgb:
        return frame.to_ndarray(format=form)
    full = frame.color_range == _FULL_RANGE or frame.format.name.startswith(("yuvj", "gray"))
    return frame.to_ndarray(
        format=form,
        src_colorspace=_MATRICES.get(int(frame.colorspace), 5),
        src_color_range="JPEG" if full else "MPEG",
        dst_color_range="JPEG",
    )
