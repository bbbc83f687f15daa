"""Reads and writes animated GIF, WebP and PNG files, as videos, by Pillow."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.files import atomic_path, unchanging
from mallenet_tf.image_io.file_kinds import ANIMATION_SUFFIXES
from mallenet_tf.image_io.picture import Limits
from mallenet_tf.image_io.pixels import to_eight_bits, to_rgb
from mallenet_tf.image_io.video_companions import companion_warnings
from mallenet_tf.image_io.video_reader import FrameReader, UnreadableVideoError
from mallenet_tf.image_io.video_writer import pixel_aspect_warnings

_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".gif": ("GIF", {}),
    ".webp": ("WEBP", {"lossless": True}),
    ".png": ("PNG", {}),
    ".apng": ("PNG", {}),
}
_MILLISECOND = Fraction(1, 1000)
_HEADER_BYTES = 1 << 18
_TRAILER_BYTES = 16  # Some writers pad the end of a GIF.


def is_animation(path: Path) -> bool:
    """Returns whether a file is a GIF, or a WebP or PNG file with an animation in it."""
    if path.suffix.lower() not in ANIMATION_SUFFIXES or not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(_HEADER_BYTES)
    if start.startswith(b"RIFF"):
        return start[12:16] == b"VP8X" and any(byte & 2 for byte in start[20:21])
    return start.startswith(b"GIF8") or b"acTL" in start.partition(b"IDAT")[0]


class AnimationReader:
    """Reads the frames of an animation; a `video_reader.FrameReader`.

    Attributes:
        settings: What the file says beside its frames, as Pillow takes it for writing.
    """

    def __init__(self, path: Path):
        self._path = path
        self.time_base, self.pixel_aspect, self.bits = _MILLISECOND, Fraction(1), 8
        self.warnings: list[str] = []
        self.companions: Path | None = None
        self.damage: str | None = None
        self.times: list[int] = []
        self.durations: list[int] = []
        with self._opened() as image:
            size = image.size
            named = ("loop", "comment", "icc_profile", "exif", "xmp")
            self.settings = {key: image.info[key] for key in named if key in image.info}
            duration = image.info.get("duration") or 100
        self.rate: Fraction | None = 1000 / Fraction(duration).limit_denominator(1000)
        try:
            Limits().check(size, 8 * size[0] * size[1])
        except UserError as error:
            raise UnreadableVideoError(f"The animation {error}. Received: {path}") from error

    def frames(self) -> Iterator[np.ndarray]:
        """Reads the frames in order, uint8 [height, width, 3]."""
        for frame in self.frames_with_alpha():
            yield np.ascontiguousarray(frame[..., :3])

    def frames_with_alpha(self) -> Iterator[np.ndarray]:
        """Reads the frames in order, uint8 [height, width, 4]."""
        durations: list[int] = []
        with unchanging(self._path), self._opened() as image:
            for index in itertools.count():
                try:
                    image.seek(index)
                    frame = np.asarray(image.convert("RGBA"))
                except EOFError:  # There are no more.
                    break
                except Exception as error:  # Pillow raises a dozen unrelated types.
                    self.damage = f"the frames from number {index + 1} on cannot be read: {error}"
                    break
                # Browsers show frames without a duration for a tenth of a second.
                durations.append(round(image.info.get("duration") or 100))
                yield frame
        if not self.damage and not self._has_end():
            self.damage = f"the file ends early, after {len(durations)} frames"
        self.durations = durations
        self.times = [int(time) for time in np.cumsum([0, *durations[:-1]])]

    def _has_end(self) -> bool:
        """Returns whether a GIF has its last byte; other formats say how many frames they have."""
        content = self._path.read_bytes()
        return not content.startswith(b"GIF8") or b";" in content[-_TRAILER_BYTES:]

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            image = Image.open(self._path)
        except Exception as error:  # As above.
            raise UnreadableVideoError(
                f"Not a readable animation: {error}. Received: {self._path}"
            ) from error
        with image:
            yield image


class AnimationWriter:
    """Keeps the frames of an animation in memory; see `open_animation_writer`.

    Attributes:
        done: Which frames exist already: none.
        warnings: Conversion warnings.
    """

    done: Sequence[bool] = ()

    def __init__(self, form: str, reader: FrameReader):
        self.images: list[Image.Image] = []
        self._originals = (
            reader.frames_with_alpha() if isinstance(reader, AnimationReader) else None
        )
        self.warnings = companion_warnings(reader.companions, form)
        self.warnings += pixel_aspect_warnings(reader.pixel_aspect)
        self.warnings += ["GIF holds 256 colors a frame"] * (form == "GIF")
        self.warnings += [f"{form} holds 8 of the {reader.bits} bits"] * (reader.bits > 8)

    def write(self, frame: np.ndarray) -> None:
        """Takes the next frame, [height, width, 1 or 3], uint8 or uint16."""
        pixels = to_rgb(to_eight_bits(frame))
        if self._originals is not None:
            alpha = next(self._originals)[..., 3:]
            if alpha.min() < 255:
                pixels = np.concatenate([pixels, alpha], axis=-1)
        self.images.append(Image.fromarray(np.ascontiguousarray(pixels)))


@contextlib.contextmanager
def open_animation_writer(path: Path, reader: FrameReader) -> Iterator[AnimationWriter]:
    """Opens an animation for writing; it appears at `path` when the block succeeds.

    Args:
        path: With one of `ANIMATION_SUFFIXES`.
        reader: Where the frames come from: gives times, and alpha if it is an `AnimationReader`.
    """
    form, options = _FORMATS[path.suffix.lower()]
    writer = AnimationWriter(form, reader)
    yield writer
    settings = reader.settings if isinstance(reader, AnimationReader) else {"loop": 0}
    if any(image.mode == "RGBA" for image in writer.images):
        writer.images = [image.convert("RGBA") for image in writer.images]
        options = {**options, "disposal": 2} if form == "GIF" else options
    with atomic_path(path) as temporary:
        writer.images[0].save(
            temporary,
            form,
            save_all=True,
            append_images=writer.images[1:],
            duration=_durations(reader),
            **options,
            **settings,
        )


def _durations(reader: FrameReader) -> list[int]:
    """Returns the milliseconds for which each frame is shown."""
    if isinstance(reader, AnimationReader):
        return reader.durations
    starts = [round(time * reader.time_base * 1000) for time in reader.times]
    ends = [*starts[1:], starts[-1] + round(1000 / (reader.rate or 10))]
    return [end - start for start, end in zip(starts, ends, strict=True)]
