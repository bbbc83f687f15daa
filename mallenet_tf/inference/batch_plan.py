"""Which files are denoised, and where each result goes."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.animations import is_animation
from mallenet_tf.image_io.file_kinds import ANIMATION_SUFFIXES, VIDEO_SUFFIXES, is_video_file
from mallenet_tf.image_io.file_search import find_files, find_others
from mallenet_tf.image_io.formats import (
    FORMATS,
    IMAGE_SUFFIXES,
    RAW_SUFFIXES,
    format_of,
    is_raw_file,
    result_path,
)
from mallenet_tf.image_io.video_writer import check_video_suffix, video_result_path
from mallenet_tf.inference.options import Options

_MOST_FRAMES_PER_SECOND = 1000


@dataclass(frozen=True)
class Job:
    """One file to denoise.

    Attributes:
        source: An image or a video file, or the folder with a video's frames.
        target: Where the result goes.
        video: Whether it is a video.
    """

    source: Path
    target: Path
    video: bool = False


def plan_jobs(inputs: Sequence[str], output: str, options: Options) -> list[Job]:
    """Pairs inputs with outputs.

    Args:
        inputs: Images and videos: see `plan_images` and `plan_videos`.
        output: A file or a folder.
        options: Of the batch.

    Returns:
        A job for each image and each video.

    Raises:
        UserError: If the plan cannot work, the single output exists and may not be replaced, or an
            option does not fit.
        FileNotFoundError: If an input does not exist.
    """
    videos = [path for path in inputs if options.video or _is_video(path)]
    images = [path for path in inputs if path not in videos]
    if not images:
        options.refuse("a video", "recursive", "compare", "show_kernels", "linear")
    if not videos:
        options.refuse("images; --video takes a folder as one", "frame_rate", "temporal_profile")
    jobs: list[Job] = []
    if len(inputs) == 1 and videos and _is_single(inputs[0], output):
        jobs.append(plan_video(inputs[0], output, options.frame_rate))
    elif videos:
        jobs += plan_videos(videos, output, options.frame_rate)
    if images:
        jobs += plan_images(images, output, options.recursive)
    if options.linear:
        _check_raw(jobs)
    _refuse_collisions(jobs, options.overwrite)
    target = jobs[0].target
    if target == Path(output).expanduser() and target.is_file() and not options.overwrite:
        raise UserError(f"The output exists; --overwrite replaces it. Received: {target}")
    return jobs


def list_others(
    inputs: Sequence[str], output: str, options: Options, jobs: Sequence[Job]
) -> list[Path]:
    """Lists what the inputs hold beside the files of jobs, without results below them."""
    denoised = {job.source.resolve() for job in jobs}
    results = Path(output).expanduser().resolve()
    folders = [path for path in inputs if not (options.video or _is_video(path))]
    return [
        path
        for path in find_others(folders, IMAGE_SUFFIXES, options.recursive)
        if path.resolve() not in denoised
        and results not in (path.resolve(), *path.resolve().parents)
    ]


def plan_images(inputs: Sequence[str], output: str, recursive: bool = False) -> list[Job]:
    """Pairs image files with output files.

    The output is a file if there is one input file and `output` has an image's suffix and is no
    folder; otherwise a folder. Below it, files from a folder keep their place under that folder;
    results of camera raw files are TIFF. Results of an earlier run in the output folder are no
    inputs.

    Args:
        inputs: Files, folders, globs and lists, as in `file_search.find_files`.
        output: A file or a folder.
        recursive: Whether to search subfolders.

    Returns:
        Jobs in the order of the inputs; a file named twice is there once.

    Raises:
        UserError: If nothing matches, or several images would go to one file.
        FileNotFoundError: If an input does not exist.
    """
    target = Path(output).expanduser()
    found: dict[Path, Path] = {}  # sources, and their places below an output folder
    for source, place in find_files(inputs, IMAGE_SUFFIXES, recursive=recursive):
        if not _is_result(source, place, target):
            found.setdefault(source, place)
    single = len(inputs) == 1 and len(found) == 1 and not Path(inputs[0]).expanduser().is_dir()
    as_file = target.suffix.lower() in FORMATS and not target.is_dir()
    if as_file and not single:
        raise UserError(
            f"Several images cannot go to one file; name a folder. Received: --output={output}"
        )
    if not as_file and (target.is_file() or (single and _looks_like_a_file(output))):
        format_of(target)
    return [
        Job(source, target if as_file else result_path(target / place, source))
        for source, place in found.items()
    ]


def plan_videos(inputs: Sequence[str], output: str, frame_rate: float | None = None) -> list[Job]:
    """Pairs several videos with files of their names in an output folder.

    The results of formats that are not written are .mp4. The frames of a folder go to a folder of
    its name, or with a frame rate to a .mp4 file.

    Args:
        inputs: Video files, globs of them, and folders with the frames of a video.
        output: A folder.
        frame_rate: Frames per second of folders that become video files.

    Raises:
        UserError: If the output is a file, or a frame rate is out of place.
        FileNotFoundError: If an input does not exist.
    """
    target = Path(output).expanduser()
    if target.is_file() or _looks_like_a_file(output):
        raise UserError(
            "Several videos cannot go to one file, nor an animation to one that holds a single "
            f"picture; name a folder. Received: --output={output}"
        )
    jobs: dict[Path, Job] = {}
    for text in inputs:
        folder = Path(text).expanduser()
        if folder.is_dir():
            name = f"{folder.resolve().name}{'' if frame_rate is None else '.mp4'}"
            jobs[folder] = plan_video(text, str(target / name), frame_rate)
            continue
        for source, _ in find_files([text], (*VIDEO_SUFFIXES, *ANIMATION_SUFFIXES), "video"):
            result = str(video_result_path(target / source.name))
            jobs[source] = plan_video(str(source), result, frame_rate)
    return list(jobs.values())


def plan_video(given: str, output: str, frame_rate: float | None = None) -> Job:
    """Pairs a video with its output.

    Args:
        given: A video file, or a folder with the frames of a video.
        output: A video file, or a folder for the frames.
        frame_rate: Frames per second of a folder that becomes a video file.

    Raises:
        UserError: If it is no video, the output is no video file that can be written, it would
            replace the input, or the frame rate is missing or out of place.
    """
    source, target = Path(given).expanduser(), Path(output).expanduser()
    if not (source.is_dir() or _is_video(source)):
        raise UserError(
            f"A video is a video file ({' '.join(VIDEO_SUFFIXES)}), or with --video a folder of "
            f"frames. Received: {given}"
        )
    if frame_rate is not None:
        _check_frame_rate(frame_rate, source)
    as_file = _names_a_video(output)
    if as_file or target.is_file() or _looks_like_a_file(output):
        check_video_suffix(target)
    if as_file and target.exists() and target.resolve() == source.resolve():
        raise UserError(f"The output would replace the input. Received: --output={target}")
    if as_file and source.is_dir() and frame_rate is None:
        raise UserError(
            "A folder says nothing of the rate of its frames; give it as --frame_rate=25. "
            f"Received: --output={target}"
        )
    return Job(source, target, video=True)


def _is_video(path: str | Path) -> bool:
    """Returns whether a file that was named is a video file or an animation."""
    return is_video_file(path) or is_animation(Path(path).expanduser())


def _is_single(given: str, output: str) -> bool:
    """Returns whether one video goes to a file, or its frames to a folder; not for animations."""
    path = Path(given).expanduser()
    if glob.has_magic(given) and not path.exists():
        return False
    return _names_a_video(output) or not is_animation(path)


def _names_a_video(output: str) -> bool:
    target = Path(output).expanduser()
    is_file = is_video_file(target) or target.suffix.lower() in ANIMATION_SUFFIXES
    return is_file and not target.is_dir()


def _check_frame_rate(rate: float, source: Path) -> None:
    if not source.is_dir():
        raise UserError(
            "A video file has a frame rate of its own, which is kept. "
            f"Received: --frame_rate={rate:g}"
        )
    if not 0 < rate <= _MOST_FRAMES_PER_SECOND:
        raise UserError(
            f"A frame rate is above 0 and at most {_MOST_FRAMES_PER_SECOND}. "
            f"Received: --frame_rate={rate:g}"
        )


def _check_raw(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if not is_raw_file(job.source):
            raise UserError(
                f"--linear is for camera raw files ({' '.join(RAW_SUFFIXES)}). "
                f"Received: {str(job.source)!r}"
            )


def _is_result(source: Path, place: Path, output: Path) -> bool:
    """Returns whether a file was found in an output folder that lies below the input folder."""
    folder, results = source.parents[len(place.parts) - 1].resolve(), output.resolve()
    return folder in results.parents and results in source.resolve().parents


def _looks_like_a_file(output: str) -> bool:
    """Returns whether a path that is no folder has a suffix, as in result.gif."""
    path = Path(output).expanduser()
    return bool(path.suffix) and not output.endswith(os.sep) and not path.is_dir()


def _refuse_collisions(jobs: Sequence[Job], overwrite: bool) -> None:
    sources = {job.source.resolve() for job in jobs if not (job.video and job.source.is_dir())}
    taken: dict[Path, Path] = {}
    for job in jobs:
        target = job.target.resolve()
        if target in sources and not (overwrite and target == job.source.resolve()):
            raise UserError(
                "The output would replace an input; choose another --output, or --overwrite it. "
                f"Received: {str(job.target)!r}"
            )
        if target in taken:
            raise UserError(
                f"Two inputs would be written to {str(job.target)!r}; denoise them into different "
                f"folders. Received: {str(taken[target])!r} and {str(job.source)!r}"
            )
        taken[target] = job.source
