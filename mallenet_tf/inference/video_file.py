"""Denoises one video: a video file, or a folder of frames."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.progress import print_line, progress
from mallenet_tf.common.text import printable
from mallenet_tf.image_io.animations import (
    AnimationReader,
    AnimationWriter,
    is_animation,
    open_animation_writer,
)
from mallenet_tf.image_io.file_kinds import ANIMATION_SUFFIXES, is_video_file
from mallenet_tf.image_io.file_search import files_below
from mallenet_tf.image_io.formats import IMAGE_SUFFIXES
from mallenet_tf.image_io.frame_folders import (
    FrameFolderReader,
    FrameFolderWriter,
    frame_folder_writer,
)
from mallenet_tf.image_io.image_reader import read_image
from mallenet_tf.image_io.image_writer import write_image
from mallenet_tf.image_io.video_reader import FrameReader, VideoFileReader
from mallenet_tf.image_io.video_writer import VideoFileWriter, open_video_writer
from mallenet_tf.inference.batch_plan import Job
from mallenet_tf.inference.networks import Networks
from mallenet_tf.inference.noise_level import MeasuredNoise, NoiseLevel, resolve_level
from mallenet_tf.inference.options import Options
from mallenet_tf.inference.outcome import Outcome, warning_lines
from mallenet_tf.inference.video import Survey, denoise_frames, survey
from mallenet_tf.inference.views import temporal_profile

Writer: TypeAlias = FrameFolderWriter | VideoFileWriter | AnimationWriter

_LONGEST_PERIOD = 1001  # NTSC's frame rates are multiples of 1 / 1001.


def denoise_video_file(job: Job, networks: Networks, options: Options) -> Outcome:
    """Denoises a video, by a network for images frame by frame, by one for video from several.

    The noise level is one for the whole video. Frames that are in an output folder are kept, so
    that the same command continues a run that was stopped.

    Args:
        job: The video and where the result goes.
        networks: Where its network comes from.
        options: What is done to it.

    Raises:
        UserError, ValueError, OSError: If it cannot be read, denoised or written; a video file is
            then not written.
    """
    reader = _open_reader(job.source, options.frame_rate)
    found = survey(reader.frames(), job.source)
    noise = MeasuredNoise(found.samples, found.linear)
    denoiser = networks.choose(noise)
    start = time.perf_counter()
    _check(job, found, denoiser.frames, options.temporal_profile)
    level = resolve_level(denoiser.model, noise, options.sigma)
    found.samples.clear()  # Or they would stay in memory all the time,
    del noise  # and so would its copies.
    if denoiser.max_memory is not None:
        denoiser.max_memory -= found.bytes_held(denoiser.frames)
    row, rows = options.temporal_profile, []
    with _open_writer(job, reader, found, options.overwrite) as writer:
        warnings = (*reader.warnings, *writer.warnings)
        said = [
            _headline(job.source, reader, found, level),
            *warning_lines(warnings, reader.damage),
        ]
        print_line("\n".join(said), options.stream)
        skipped = sum(writer.done)
        frames = denoise_frames(reader.frames(), denoiser, level.sigma, writer.done)
        shown = progress(frames, found.count, job.source.name, unit="frame", keep=False)
        for index, (noisy, denoised) in enumerate(shown):
            if denoised is not None:
                writer.write(denoised)
            if row is not None:
                result = _read_written(writer, index) if denoised is None else denoised
                rows.append((noisy[row].copy(), result[row].copy()))
    if rows:
        write_image(_profile_path(job.target), temporal_profile(*zip(*rows, strict=True)))
    return Outcome(
        job,
        width=found.shape[1],
        height=found.shape[0],
        frames=found.count,
        skipped_frames=skipped,
        level=level,
        seconds=time.perf_counter() - start,
        warnings=warnings,
        damage=reader.damage,
    )


def _open_reader(source: Path, frame_rate: float | None) -> FrameReader:
    if not source.is_dir():
        return AnimationReader(source) if is_animation(source) else VideoFileReader(source)
    images = files_below(source, IMAGE_SUFFIXES, recursive=False)
    if not images:
        raise UserError(f"No images in this folder, which --video takes for frames: {source}")
    if frame_rate is None:
        return FrameFolderReader(images)
    return FrameFolderReader(images, Fraction(frame_rate).limit_denominator(_LONGEST_PERIOD))


def _check(job: Job, found: Survey, frames: int, row: int | None) -> None:
    """Checks that a network of so many frames, the output and the profile's row fit the video."""
    if found.count < 2 <= frames:
        raise UserError(
            f"The network denoises a frame from {frames} around it, and the video has a single "
            f"one; use the weights of a network for images. Received: 1 frame in {job.source}"
        )
    if found.linear and _is_file(job.target):
        raise UserError(
            "A video file cannot hold linear floats; write the frames into a folder. "
            f"Received: --output={job.target}"
        )
    if row is not None and not 0 <= row < found.shape[0]:
        raise UserError(
            f"The frames have rows 0 to {found.shape[0] - 1}. Received: --temporal_profile={row}"
        )


def _headline(source: Path, reader: FrameReader, found: Survey, level: NoiseLevel) -> str:
    """Says before the work what is denoised, and at which level."""
    height, width = found.shape[:2]
    rate = "" if reader.rate is None else f"  {float(reader.rate):.5g} frames/s"
    return f"{printable(source)}  {found.count} frames  {width} x {height}{rate}  {level}"


def _is_file(target: Path) -> bool:
    return (is_video_file(target) or _is_animated(target)) and not target.is_dir()


def _is_animated(target: Path) -> bool:
    return target.suffix.lower() in ANIMATION_SUFFIXES


@contextlib.contextmanager
def _open_writer(job: Job, reader: FrameReader, found: Survey, overwrite: bool) -> Iterator[Writer]:
    if not _is_file(job.target):
        yield frame_folder_writer(job.target, reader, found.count, overwrite)
    elif _is_animated(job.target):
        with open_animation_writer(job.target, reader) as animation:
            yield animation
    else:
        with open_video_writer(job.target, found.shape, reader) as writer:
            yield writer


def _read_written(writer: Writer, index: int) -> np.ndarray:
    assert isinstance(writer, FrameFolderWriter)  # A video file has no frames from an earlier run.
    return read_image(writer.files[index])


def _profile_path(target: Path) -> Path:
    name = target.stem if _is_file(target) else target.resolve().name
    return target.resolve().parent / f"{name}.temporal_profile.png"
