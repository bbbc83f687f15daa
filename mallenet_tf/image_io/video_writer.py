"""Writes video files, a frame at a time, through PyAV.

A file is H.264 (.mp4, .m4v, .mov; almost without loss) or FFV1 (.mkv; without any), 8 bits, with
the times of the frames that it is made from. Only H.264 keeps pixels that are not square.
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
from mallenet_tf.image_io.pixels import to_eight_bits, to_rgb
from mallenet_tf.image_io.video_reader import FrameReader, av_module

# Constant rate factor: differences at this one are below what 8 bits of color show.
_H264 = ("libx264", {"crf": "12", "preset": "medium"})
_CODECS = {".mp4": _H264, ".m4v": _H264, ".mov": _H264, ".mkv": ("ffv1", {})}
_BT709 = 1  # ITU-T H.273's number for matrix, primaries and transfer function alike
_LIMITED_RANGE = 1
_TO_BT709 = {"dst_colorspace": "ITU709", "dst_color_range": "MPEG"}


def check_video_suffix(path: Path) -> None:
    """Checks that a video file of this suffix can be written.

    Raises:
        UserError: If not.
    """
    if path.suffix.lower() not in _CODECS:
        raise UserError(
            f"A video is written as {' '.join(_CODECS)}, or as frames into a folder. "
            f"Received: --output={path}"
        )


class VideoFileWriter:
    """Writes the frames of an open video file; see `open_video_writer`.

    Attributes:
        done: Frames that are there already: none.
        warnings: Conversion warnings: what the file does not keep.
    """

    done: Sequence[bool] = ()

    def __init__(self, container: Any, shape: tuple[int, ...], reader: FrameReader, suffix: str):
        codec, options = _CODECS[suffix]
        self._container = container
        self._times, self._time_base = iter(reader.times), reader.time_base
        self._stream = stream = container.add_stream(codec, rate=reader.rate, options=options)
        stream.height, stream.width = shape[:2]
        stream.codec_context.time_base = reader.time_base
        self._conversion: dict[str, str] = {}
        self.warnings: list[str] = []
        if codec == "ffv1":
            stream.pix_fmt = "bgr0"
            # Matroska's writer does not take the pixels' shape from the encoder.
            self.warnings = pixel_aspect_warnings(reader.pixel_aspect)
            return
        stream.codec_context.sample_aspect_ratio = reader.pixel_aspect
        # Half the resolution of color, which every player shows, needs even sides.
        odd = any(side % 2 for side in shape[:2])
        stream.pix_fmt = "yuv444p" if odd else "yuv420p"
        stream.codec_context.color_range = _LIMITED_RANGE
        stream.codec_context.colorspace = _BT709
        stream.codec_context.color_primaries = _BT709
        stream.codec_context.color_trc = _BT709
        self._conversion = _TO_BT709

    def write(self, frame: np.ndarray) -> None:
        """Writes the next frame, [height, width, 1 or 3], uint8 or uint16."""
        pixels = np.ascontiguousarray(to_rgb(to_eight_bits(frame)))
        picture = av_module().VideoFrame.from_ndarray(pixels, format="rgb24")
        picture = picture.reformat(format=self._stream.pix_fmt, **self._conversion)
        picture.pts, picture.time_base = next(self._times), self._time_base
        self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        """Writes what the encoder holds back."""
        self._container.mux(self._stream.encode(None))


def pixel_aspect_warnings(aspect: Fraction) -> list[str]:
    """Returns the conversion warnings of an output that holds only square pixels."""
    width, height = aspect.as_integer_ratio()
    return [] if width == height else [f"the shape of the pixels, {width}:{height}, is not kept"]


@contextlib.contextmanager
def open_video_writer(
    path: Path, shape: tuple[int, ...], reader: FrameReader
) -> Iterator[VideoFileWriter]:
    """Opens a video file for writing; it appears at `path` when the block succeeds.

    Args:
        path: With a suffix that `check_video_suffix` accepts.
        shape: [height, width, ...] of the frames.
        reader: Where the frames come from: gives their rate, their times and their pixels' shape.

    Raises:
        UserError: If FFmpeg cannot write it, in its words.
    """
    av = av_module()
    try:
        with atomic_path(path) as temporary:
            with av.open(str(temporary), "w") as container:
                writer = VideoFileWriter(container, shape, reader, path.suffix.lower())
                yield writer
                writer.close()
    except av.error.FFmpegError as error:
        raise UserError(f"The video cannot be written: {error}. Received: {path}") from error
