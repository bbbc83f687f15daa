"""Writes video files, a frame at a time, by PyAV.

A file is H.264 (.mp4, .m4v, .mov; almost lossless) or FFV1 (.mkv; lossless), of the depth of the
frames, H.264 of at most 10 bits. Frames keep their times; sound, subtitles, chapters and titles are
copied where the format holds them. Only H.264 keeps a pixel aspect ratio.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.files import atomic_path
from mallenet_tf.image_io.file_kinds import ANIMATION_SUFFIXES
from mallenet_tf.image_io.pixels import to_eight_bits, to_rgb
from mallenet_tf.image_io.video_companions import CompanionCopier, open_companions
from mallenet_tf.image_io.video_reader import FrameReader, av_module

# The error at this constant rate factor is hardly visible.
_H264 = ("libx264", {"crf": "12", "preset": "medium"})
_CODECS = {".mp4": _H264, ".m4v": _H264, ".mov": _H264, ".mkv": ("ffv1", {})}
_WRITTEN = (*_CODECS, *ANIMATION_SUFFIXES)
_BT709 = 1  # ITU-T H.273's number for matrix, primaries and transfer function.
_LIMITED_RANGE = 1
_TO_BT709 = {"dst_colorspace": "ITU709", "dst_color_range": "MPEG"}


def check_video_suffix(path: Path) -> None:
    """Checks that a video file of this suffix can be written.

    Raises:
        UserError: If not.
    """
    if path.suffix.lower() not in _WRITTEN:
        raise UserError(
            f"A video is written as {' '.join(_WRITTEN)}, or as frames into a folder. "
            f"Received: --output={path}"
        )


def video_result_path(path: Path) -> Path:
    """Returns where the result of a video file goes: .mp4 for formats that are not written."""
    return path if path.suffix.lower() in _WRITTEN else path.with_suffix(".mp4")


class VideoFileWriter:
    """Writes the frames of an open video file; see `open_video_writer`.

    Attributes:
        done: Which frames exist already: none.
        warnings: Conversion warnings.
    """

    done: Sequence[bool] = ()

    def __init__(self, container: Any, shape: tuple[int, ...], reader: FrameReader, suffix: str):
        codec, options = _CODECS[suffix]
        self._container = container
        self._times, self._time_base = iter(reader.times), reader.time_base
        self._stream = stream = container.add_stream(codec, rate=reader.rate, options=options)
        self._companions: CompanionCopier | None = None
        stream.height, stream.width = shape[:2]
        stream.codec_context.time_base = reader.time_base
        self._conversion: dict[str, str] = {}
        self.warnings: list[str] = []
        self._deep = reader.bits > 8
        if codec == "ffv1":
            stream.pix_fmt = _lossless_format(reader.bits)
            # Matroska's writer ignores the encoder's pixel aspect ratio.
            self.warnings = pixel_aspect_warnings(reader.pixel_aspect)
            return
        stream.codec_context.sample_aspect_ratio = reader.pixel_aspect
        # Every player shows color at half the resolution, which needs even sides.
        odd = any(side % 2 for side in shape[:2])
        stream.pix_fmt = ("yuv444p" if odd else "yuv420p") + ("10le" if self._deep else "")
        if reader.bits > 10:
            self.warnings = [f"H.264 holds 10 of the {reader.bits} bits"]
        stream.codec_context.color_range = _LIMITED_RANGE
        stream.codec_context.colorspace = _BT709
        stream.codec_context.color_primaries = _BT709
        stream.codec_context.color_trc = _BT709
        self._conversion = _TO_BT709

    def add(self, companions: CompanionCopier | None) -> None:
        """Adds what is to be copied between the frames; before the first frame."""
        self._companions = companions
        self.warnings += companions.warnings if companions else []

    def write(self, frame: np.ndarray) -> None:
        """Writes the next frame, [height, width, 1 or 3], uint8 or uint16."""
        form = "rgb48le" if self._deep else "rgb24"
        pixels = to_rgb(frame if self._deep else to_eight_bits(frame))
        picture = av_module().VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=form)
        picture = picture.reformat(format=self._stream.pix_fmt, **self._conversion)
        picture.pts, picture.time_base = next(self._times), self._time_base
        if self._companions:
            self._companions.copy_until(picture.pts * picture.time_base)
        self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        """Writes the frames that are still in the encoder, and the rest of the sound."""
        self._container.mux(self._stream.encode(None))
        if self._companions:
            self._companions.copy_until(None)


def _lossless_format(bits: int) -> str:
    for deepest, name in ((8, "bgr0"), (10, "gbrp10le"), (12, "gbrp12le")):
        if bits <= deepest:
            return name
    return "gbrp16le"


def pixel_aspect_warnings(aspect: Fraction) -> list[str]:
    """Returns the conversion warnings of an output that holds only square pixels."""
    width, height = aspect.as_integer_ratio()
    return [] if width == height else [f"the pixel aspect ratio, {width}:{height}, is not kept"]


@contextlib.contextmanager
def open_video_writer(
    path: Path, shape: tuple[int, ...], reader: FrameReader
) -> Iterator[VideoFileWriter]:
    """Opens a video file for writing; it appears at `path` when the block succeeds.

    Args:
        path: With a suffix that `check_video_suffix` accepts.
        shape: [height, width, ...] of the frames.
        reader: Where the frames come from: gives the rate, the times and the pixel aspect ratio.

    Raises:
        UserError: If FFmpeg cannot write it; the message is FFmpeg's.
    """
    av = av_module()
    try:
        with atomic_path(path) as temporary:
            with av.open(str(temporary), "w") as container:
                writer = VideoFileWriter(container, shape, reader, path.suffix.lower())
                with open_companions(reader.companions, container) as companions:
                    writer.add(companions)
                    yield writer
                    writer.close()
    except av.error.FFmpegError as error:
        raise UserError(f"The video cannot be written: {error}. Received: {path}") from error
