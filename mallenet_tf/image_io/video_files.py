"""Videos as files: folders of frames and video files, read and written a frame at a time.

A folder's frames keep their format, depth, alpha and metadata. A video file is written as H.264
(.mp4, .mov; almost without loss) or as FFV1 (.mkv; without any), 8 bits, with the times of the
frames that it comes from. Pixels that are not square stay so where the output can say it: in H.264.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.files import atomic_path
from mallenet_tf.image_io.image_files import read_picture, write_image, write_picture
from mallenet_tf.image_io.video_reader import av_module, in_order, open_video

# Constant rate factor: differences at this one are below what 8 bits of colour show.
_H264 = ("libx264", {"crf": "12", "preset": "medium"})
_CODECS = {".mp4": _H264, ".m4v": _H264, ".mov": _H264, ".mkv": ("ffv1", {})}
_BT709 = 1  # ITU-T H.273's number for matrix, primaries and transfer function alike
_LIMITED_RANGE = 1
_TO_BT709 = {"dst_colorspace": "ITU709", "dst_color_range": "MPEG"}


class Source(Protocol):
    """A video to denoise.

    Attributes:
        notes: What reading and writing leave out, in words.
        rate: Frames per second; None if nobody knows.
        time_base: Seconds of one unit of `times`.
        times: Of the frames; complete when they have been read once.
        pixel_aspect: Width of a pixel by its height.
    """

    notes: list[str]
    rate: Fraction | None
    time_base: Fraction
    times: list[int]
    pixel_aspect: Fraction

    def frames(self) -> Iterator[np.ndarray]:
        """Reads the frames in order, [height, width, 1 or 3], from the first each time."""


class FileSource:
    """A video file; see `Source`."""

    def __init__(self, path: Path):
        self.path = path
        self.times: list[int] = []
        with open_video(path) as video:
            self.notes = list(video.notes)
            self.rate: Fraction | None = video.rate
            self.time_base = video.time_base
            self.pixel_aspect = video.pixel_aspect

    def frames(self) -> Iterator[np.ndarray]:
        times = []
        with open_video(self.path) as video:
            for time, frame in video:
                times.append(time)
                yield frame
        self.times = times


class FolderSource:
    """A folder's images as frames, in natural order of their names; see `Source`.

    Args:
        images: The files.
        rate: Frames per second, for writing a video file.
    """

    def __init__(self, images: Sequence[Path], rate: Fraction | None = None):
        self.images = in_order(images)
        self.rate = rate
        self.time_base = Fraction(1) if rate is None else 1 / rate
        self.times = list(range(len(self.images)))
        self.pixel_aspect = Fraction(1)
        self.notes: list[str] = []

    def frames(self) -> Iterator[np.ndarray]:
        for path in self.images:
            picture = read_picture(path)
            self.notes += [note for note in picture.notes if note not in self.notes]
            yield picture.pixels


@dataclasses.dataclass
class FolderTarget:
    """A folder that gets a file for every frame, as soon as it is denoised.

    Attributes:
        files: One for each frame.
        originals: The images that the frames come from and whose metadata they get; None if they
            come from a video file.
        overwrite: Replace files that are there; otherwise those frames are done.
    """

    files: Sequence[Path]
    originals: Sequence[Path] | None
    overwrite: bool

    def __post_init__(self) -> None:
        # Before `write` makes more of them appear.
        self.done = [not self.overwrite and file.exists() for file in self.files]
        self._missing = iter([index for index, done in enumerate(self.done) if not done])

    def write(self, frame: np.ndarray) -> None:
        """Writes the next frame that is not done."""
        index = next(self._missing)
        if self.originals is None:
            write_image(self.files[index], frame)
            return
        picture = read_picture(self.originals[index])
        picture.pixels[...] = frame
        write_picture(self.files[index], picture)


def check_video_suffix(path: Path) -> None:
    """Raises UserError unless a video file of this suffix can be written."""
    if path.suffix.lower() not in _CODECS:
        raise UserError(
            f"A video is written as {' '.join(_CODECS)}, or as frames into a folder. "
            f"Received: --output={path}"
        )


class FileTarget:
    """A video file in work; see `video_file`."""

    done: Sequence[bool] = ()

    def __init__(self, container: Any, shape: tuple[int, ...], source: Source, suffix: str):
        codec, options = _CODECS[suffix]
        self._container = container
        self._times, self._time_base = iter(source.times), source.time_base
        self._stream = stream = container.add_stream(codec, rate=source.rate, options=options)
        stream.height, stream.width = shape[:2]
        stream.codec_context.time_base = source.time_base
        self._conversion: dict[str, str] = {}
        if codec == "ffv1":
            stream.pix_fmt = "bgr0"
            _note_pixel_aspect(source)  # Matroska's writer does not take it from the encoder
            return
        stream.codec_context.sample_aspect_ratio = source.pixel_aspect
        # Half the resolution of colour, which every player shows, needs even sides.
        odd = any(side % 2 for side in shape[:2])
        stream.pix_fmt = "yuv444p" if odd else "yuv420p"
        stream.codec_context.color_range = _LIMITED_RANGE
        stream.codec_context.colorspace = _BT709
        stream.codec_context.color_primaries = _BT709
        stream.codec_context.color_trc = _BT709
        self._conversion = _TO_BT709

    def write(self, frame: np.ndarray) -> None:
        """Writes the next frame, [height, width, 1 or 3], uint8 or uint16."""
        pixels = np.ascontiguousarray(np.broadcast_to(_eight_bits(frame), (*frame.shape[:2], 3)))
        picture = av_module().VideoFrame.from_ndarray(pixels, format="rgb24")
        picture = picture.reformat(format=self._stream.pix_fmt, **self._conversion)
        picture.pts, picture.time_base = next(self._times), self._time_base
        self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        """Writes what the encoder holds back."""
        self._container.mux(self._stream.encode(None))


def _note_pixel_aspect(source: Source) -> None:
    """Notes pixels that are not square, for an output that does not say so."""
    width, height = source.pixel_aspect.as_integer_ratio()
    if width != height:
        source.notes.append(f"the shape of the pixels, {width}:{height}, is not kept")


def _eight_bits(frame: np.ndarray) -> np.ndarray:
    if frame.dtype == np.uint8:
        return frame
    return ((frame.astype(np.uint32) + 128) // 257).astype(np.uint8)


@contextlib.contextmanager
def video_file(path: Path, shape: tuple[int, ...], source: Source) -> Iterator[FileTarget]:
    """Opens a video file for writing; it appears at `path` when the block succeeds.

    Args:
        path: With a suffix that `check_video_suffix` knows.
        shape: [height, width, ...] of the frames.
        source: Says the rate, the times and the pixels' shape of the frames, and gets a note if
            the file does not keep the shape.

    Raises:
        UserError: If FFmpeg cannot write it, in its words.
    """
    av = av_module()
    try:
        with atomic_path(path) as temporary:
            with av.open(str(temporary), "w") as container:
                target = FileTarget(container, shape, source, path.suffix.lower())
                yield target
                target.close()
    except av.error.FFmpegError as error:
        raise UserError(f"The video cannot be written: {error}. Received: {path}") from error


def folder_target(folder: Path, source: Source, count: int, overwrite: bool) -> FolderTarget:
    """The files below `folder` for the frames of a source.

    Frames of a folder keep their names, those of a video file are numbered from 000001.png; the
    source gets a note if its pixels are not square.

    Raises:
        UserError: If a frame would replace its original without `overwrite`.
    """
    if isinstance(source, FolderSource):
        files = [folder / image.name for image in source.images]
        if folder.resolve() == source.images[0].parent.resolve() and not overwrite:
            raise UserError(
                "The output would replace the frames; choose another --output, or --overwrite "
                f"them. Received: --output={folder}"
            )
        return FolderTarget(files, source.images, overwrite)
    _note_pixel_aspect(source)
    files = [folder / f"{number:06d}.png" for number in range(1, count + 1)]
    return FolderTarget(files, None, overwrite)
