"""Denoises one video: what `python -m mallenet_tf.denoise` does with `--video` and video files."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TextIO

import numpy as np

from mallenet_tf import models
from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.file_search import files_below
from mallenet_tf.image_io.formats import IMAGE_SUFFIXES
from mallenet_tf.image_io.frame_folders import (
    FrameFolderReader,
    FrameFolderWriter,
    frame_folder_writer,
)
from mallenet_tf.image_io.image_reader import read_image
from mallenet_tf.image_io.image_writer import write_image
from mallenet_tf.image_io.video_reader import (
    VIDEO_SUFFIXES,
    FrameReader,
    VideoFileReader,
    is_video_file,
)
from mallenet_tf.image_io.video_writer import (
    VideoFileWriter,
    check_video_suffix,
    open_video_writer,
)
from mallenet_tf.inference.batch import memory_limit
from mallenet_tf.inference.batch_plan import looks_like_a_file
from mallenet_tf.inference.denoiser import Denoiser
from mallenet_tf.inference.noise_level import check_sigma
from mallenet_tf.inference.single_image import default_weights
from mallenet_tf.inference.video import Survey, denoise_frames, survey, temporal_profile

SECONDS_BETWEEN_LINES = 10.0  # of the progress, where it is not shown on a terminal


def run(
    inputs: Sequence[str],
    output: str,
    weights: str | Path | None = None,
    sigma: float | None = None,
    strength: float = 1.0,
    max_memory: str | None = None,
    tile: int | None = None,
    ensemble: bool = False,
    overwrite: bool = False,
    frame_rate: float | None = None,
    profile_row: int | None = None,
    as_json: bool = False,
) -> int:
    """Denoises a video and says how it goes on.

    A network for images denoises frame by frame, one for video from the frames around each.

    Args:
        inputs: One video file, or one folder, whose images are the frames.
        output: A video file, or a folder for the frames. Frames that are in the folder already are
            kept, so that a run that was stopped goes on.
        weights, sigma, strength, max_memory, tile, ensemble: As of `denoise_files.run`; the noise
            level is estimated once for the whole video.
        overwrite: Replace what is there.
        frame_rate: Frames per second, for writing a folder's frames as a video file.
        profile_row: Write a picture of this row over time beside the output.
        as_json: Print a JSON summary to stdout, and the lines to stderr.

    Returns:
        Exit status 0.

    Raises:
        UserError, ValueError, OSError: If it cannot be done; a video file is then not written.
    """
    path = _single(inputs)
    target = Path(output).expanduser()
    as_file = is_video_file(target) and not target.is_dir()
    source = _source(path, frame_rate)
    _check_target(path, output, source, as_file, overwrite)

    def load(weights: str | Path) -> Denoiser:
        network = models.load_model(weights)
        check_sigma(network, sigma)
        limit = None if max_memory is None else memory_limit(max_memory)
        return Denoiser(network, tile, ensemble=ensemble, strength=strength, max_memory=limit)

    denoiser = load(weights) if weights else None
    stream = sys.stderr if as_json else sys.stdout
    found = _surveyed(path, source, denoiser.frames if denoiser else 1)
    denoiser = denoiser or load(default_weights(*found.samples))
    _check_frames(found, target, as_file, profile_row)
    level = found.level(denoiser, sigma)
    rate = "" if source.rate is None else f"  {float(source.rate):.5g} frames/s"
    height, width = found.shape[:2]
    print(
        f"{path}  {found.count} frames  {width} x {height}{rate}  {level}",
        file=stream,
        flush=True,
    )
    if denoiser.max_memory is not None:
        denoiser.max_memory -= _held_bytes(found, denoiser.frames)
    found.samples.clear()  # or they would stay in memory all the time
    start = time.monotonic()
    with _target(target, source, found, as_file, overwrite) as sink:
        rows = _denoise(source, sink, denoiser, level.sigma, found, stream, profile_row)
    seconds = time.monotonic() - start
    done = sum(sink.done)
    if profile_row is not None:
        name = f"{target.stem if as_file else target.resolve().name}.temporal_profile.png"
        write_image(target.resolve().parent / name, temporal_profile(*rows))
    print(
        f"{path} -> {target}  {found.count - done} frames in "
        f"{datetime.timedelta(seconds=round(seconds))}"
        + (f", {done} were there (--overwrite replaces them)" if done else ""),
        file=stream,
    )
    notes = source.warnings + sink.warnings
    for note in notes:
        print(f"    note: {note}", file=stream)
    if as_json:
        summary = {
            **{"source": str(path), "target": str(target), "frames": found.count},
            **{"skipped": done, "width": width, "height": height, "sigma": level.sigma},
            **{"estimated_sigma": level.estimated, "seconds": seconds, "notes": notes},
        }
        print(json.dumps(summary, indent=2))
    return 0


def _single(inputs: Sequence[str]) -> Path:
    path = Path(inputs[0]).expanduser()
    if len(inputs) > 1 or not (path.is_dir() or is_video_file(path)):
        raise UserError(
            f"A video is one video file ({' '.join(VIDEO_SUFFIXES)}), or with --video one folder "
            f"of frames. Received: {' '.join(inputs)}"
        )
    return path


def _source(path: Path, frame_rate: float | None) -> FrameReader:
    if not path.is_dir():
        if frame_rate is not None:
            raise UserError(
                "A video file has a frame rate of its own, which is kept. "
                f"Received: --frame_rate={frame_rate:g}"
            )
        return VideoFileReader(path)
    images = files_below(path, IMAGE_SUFFIXES, recursive=False)
    if not images:
        raise UserError(f"No images in this folder, which --video takes for frames: {path}")
    if frame_rate is not None and not 0 < frame_rate <= 1000:
        raise UserError(f"A frame rate is above 0. Received: --frame_rate={frame_rate:g}")
    # NTSC's rates are multiples of 1/1001.
    rate = None if frame_rate is None else Fraction(frame_rate).limit_denominator(1001)
    return FrameFolderReader(images, rate)


def _check_target(
    path: Path, output: str, source: FrameReader, as_file: bool, overwrite: bool
) -> None:
    target = Path(output).expanduser()
    if not as_file:
        if target.is_file() or looks_like_a_file(os.path.expanduser(output)):
            check_video_suffix(target)
        return
    check_video_suffix(target)
    if target.exists() and target.resolve() == path.resolve():
        raise UserError(f"The output would replace the input. Received: --output={target}")
    if target.exists() and not overwrite:
        raise UserError(f"The output exists; --overwrite replaces it. Received: {target}")
    if source.rate is None:
        raise UserError(
            "A folder says nothing of the rate of its frames; give it as --frame_rate=25. "
            f"Received: --output={target}"
        )


def _surveyed(path: Path, source: FrameReader, frames: int) -> Survey:
    try:
        return survey(source.frames(), frames)
    except UserError as error:
        where = str(path)
        raise error if where in str(error) else UserError(f"{error} in {where}") from error


def _check_frames(found: Survey, target: Path, as_file: bool, profile_row: int | None) -> None:
    if as_file and found.dtype.kind == "f":
        raise UserError(
            "A video file cannot hold linear floats; write the frames into a folder. "
            f"Received: --output={target}"
        )
    if profile_row is not None and not 0 <= profile_row < found.shape[0]:
        raise UserError(
            f"The frames have rows 0 to {found.shape[0] - 1}. "
            f"Received: --temporal_profile={profile_row}"
        )


def _held_bytes(found: Survey, frames: int) -> int:
    """What reading ahead takes: the window, the same stacked, a result and a frame to write."""
    return int(np.prod(found.shape)) * found.dtype.itemsize * (2 * frames + 2)


@contextlib.contextmanager
def _target(
    target: Path, source: FrameReader, found: Survey, as_file: bool, overwrite: bool
) -> Iterator[FrameFolderWriter | VideoFileWriter]:
    if as_file:
        with open_video_writer(target, found.shape, source) as sink:
            yield sink
    else:
        yield frame_folder_writer(target, source, found.count, overwrite)


def _denoise(
    source: FrameReader,
    sink: FrameFolderWriter | VideoFileWriter,
    denoiser: Denoiser,
    sigma: float | None,
    found: Survey,
    stream: TextIO,
    profile_row: int | None,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Writes the denoised frames; returns one row of all of them, before and after."""
    before: list[np.ndarray] = []
    after: list[np.ndarray] = []
    progress = _Progress(found, sum(sink.done), stream)
    frames = denoise_frames(source.frames(), denoiser, sigma, sink.done)
    for index, (noisy, denoised) in enumerate(frames):
        if denoised is not None:
            sink.write(denoised)
            progress.frame()
        elif profile_row is not None and isinstance(sink, FrameFolderWriter):
            denoised = read_image(sink.files[index])
        if profile_row is not None and denoised is not None:
            before.append(_shown(noisy[profile_row]))
            after.append(_shown(denoised[profile_row]))
    progress.close()
    return before, after


def _shown(row: np.ndarray) -> np.ndarray:
    """A copy of [width, channels] as floats for a picture."""
    from mallenet_tf.inference.linear_light import to_network_range

    return to_network_range(row[None], row.dtype.kind == "f")[0].copy()


class _Progress:
    """Frames done, rate and time left: in place on a terminal, elsewhere a line now and then."""

    def __init__(self, found: Survey, done: int, stream: TextIO):
        self.total, self.done, self.fresh = found.count, done, 0
        self.megapixels = found.shape[0] * found.shape[1] / 1e6
        self.stream, self.live = stream, stream.isatty()
        self.start = self.last = time.monotonic()

    def frame(self) -> None:
        self.done += 1
        self.fresh += 1
        now = time.monotonic()
        if now - self.last < (0.2 if self.live else SECONDS_BETWEEN_LINES):
            return
        self.last = now
        rate = self.fresh / (now - self.start)
        left = datetime.timedelta(seconds=round((self.total - self.done) / rate))
        line = (
            f"frame {self.done}/{self.total}  {rate:.3g} frames/s, "
            f"{rate * self.megapixels:.3g} MP/s  {left} left"
        )
        start, end = ("\r\x1b[K", "") if self.live else ("", "\n")
        print(f"{start}{line}", end=end, file=self.stream, flush=True)

    def close(self) -> None:
        if self.live:
            print("\r\x1b[K", end="", file=self.stream, flush=True)
