"""Reads and writes folders whose images are the frames of a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.file_search import natural_order
from mallenet_tf.image_io.formats import result_path
from mallenet_tf.image_io.image_reader import read_picture
from mallenet_tf.image_io.image_writer import write_image, write_picture
from mallenet_tf.image_io.video_companions import companion_warnings
from mallenet_tf.image_io.video_reader import FrameReader
from mallenet_tf.image_io.video_writer import pixel_aspect_warnings


class FrameFolderReader:
    """Reads the images of a folder as frames, in natural order.

    It is a `video_reader.FrameReader`.

    Args:
        images: The files.
        rate: Frames per second, for writing a video file.
    """

    def __init__(self, images: Sequence[Path], rate: Fraction | None = None):
        self.images = natural_order(images)
        self.rate = rate
        self.time_base = Fraction(1) if rate is None else 1 / rate
        self.times = list(range(len(self.images)))
        self.pixel_aspect = Fraction(1)
        self.warnings: list[str] = []
        self.bits = 8  # Of the frames, once they are read.
        self.companions: Path | None = None
        self.damage: str | None = None

    def frames(self) -> Iterator[np.ndarray]:
        """Reads the frames in order, [height, width, 1 or 3]."""
        for path in self.images:
            picture = read_picture(path)
            self.warnings += [text for text in picture.warnings if text not in self.warnings]
            self.bits = 8 * picture.pixels.itemsize
            yield picture.pixels


class FrameFolderWriter:
    """Writes a file for each frame, with the metadata of the image that the frame comes from.

    Args:
        files: One for each frame.
        originals: The images that the frames come from; None for frames of a video file.
        overwrite: Replace files that exist; otherwise those frames are done.

    Attributes:
        done: Whether each frame is done, before any is written.
        warnings: Conversion warnings.
    """

    def __init__(self, files: Sequence[Path], originals: Sequence[Path] | None, overwrite: bool):
        self.files, self._originals = files, originals
        self.done = [not overwrite and file.exists() for file in files]
        self.warnings: list[str] = []
        self._missing = iter([index for index, done in enumerate(self.done) if not done])

    def write(self, frame: np.ndarray) -> None:
        """Writes the next frame that is not done."""
        index = next(self._missing)
        if self._originals is None:
            write_image(self.files[index], frame)
            return
        picture = read_picture(self._originals[index])
        picture.pixels[...] = frame
        write_picture(self.files[index], picture)


def frame_folder_writer(
    folder: Path, reader: FrameReader, count: int, overwrite: bool
) -> FrameFolderWriter:
    """Returns the writer for the frames of a video.

    Frames of a folder keep their names, camera raw becomes TIFF, and those of a video file are
    numbered from 000001.png.

    Args:
        folder: Where the files go.
        reader: Where the frames come from.
        count: Number of frames.
        overwrite: Replace files that exist.

    Raises:
        UserError: If a frame would replace its original without `overwrite`, or two would be
            written to one file.
    """
    if isinstance(reader, FrameFolderReader):
        files = [result_path(folder / image.name) for image in reader.images]
        if len(set(files)) < len(files):
            raise UserError(
                "Two frames would be written to one file, a camera raw file and the TIFF of its "
                f"name. Received: {reader.images[0].parent}"
            )
        if folder.resolve() == reader.images[0].parent.resolve() and not overwrite:
            raise UserError(
                "The output would replace the frames; choose another --output, or --overwrite "
                f"them. Received: --output={folder}"
            )
        return FrameFolderWriter(files, reader.images, overwrite)
    files = [folder / f"{number:06d}.png" for number in range(1, count + 1)]
    writer = FrameFolderWriter(files, None, overwrite)
    writer.warnings = companion_warnings(reader.companions, "a folder of frames")
    writer.warnings += pixel_aspect_warnings(reader.pixel_aspect)
    return writer
