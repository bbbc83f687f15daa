"""Denoising many files: which file goes where, and what to do when one of them fails."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mallenet_tf.errors import UserError
from mallenet_tf.inference.denoiser import Denoiser
from mallenet_tf.inference.image_files import SUFFIXES, check_suffix, read_image, write_image
from mallenet_tf.inference.noise_estimation import estimate_sigma


@dataclass(frozen=True)
class Job:
    """One file to denoise and where the result goes."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: The job.
        width: Of the image, in pixels.
        height: Of the image, in pixels.
        sigma: What the network was told; None if it takes no sigma.
        estimated_sigma: What the image itself suggests; None if sigma was given.
        seconds: For reading, denoising and writing.
        skipped: Whether the output was there already.
        error: Why it failed; None if it did not.
    """

    job: Job
    width: int = 0
    height: int = 0
    sigma: float | None = None
    estimated_sigma: float | None = None
    seconds: float = 0.0
    skipped: bool = False
    error: str | None = None


def plan_jobs(inputs: Sequence[str], output: str, recursive: bool = False) -> list[Job]:
    """Pairs input files with output files.

    The output is a file if there is one input file and `output` has an image's suffix and is no
    folder; otherwise a folder. Below it, files from a folder keep their place under that folder.

    Args:
        inputs: Files, folders and globs. A file that exists is never read as a glob.
        output: A file or folder.
        recursive: Look into the subfolders of folders too.

    Returns:
        Jobs in the order of the inputs, a file named twice only once.

    Raises:
        UserError: If nothing matches, two inputs would go to one output, or the output is an input.
        FileNotFoundError: If an input does not exist.
    """
    found: dict[Path, Path] = {}  # a source, and its place below an output folder
    for text in inputs:
        for source, place in _expand(text, recursive):
            found.setdefault(source, place)
    target = Path(output)
    single = len(inputs) == 1 and len(found) == 1 and not Path(inputs[0]).is_dir()
    as_file = target.suffix.lower() in SUFFIXES and not target.is_dir()
    if as_file and not single:
        raise UserError(
            f"Several images cannot go to one file; name a folder. Received: --output={output}"
        )
    if not as_file and (target.is_file() or (single and _looks_like_a_file(output))):
        check_suffix(target)
    jobs = [Job(source, target if as_file else target / place) for source, place in found.items()]
    _refuse_collisions(jobs)
    return jobs


def _looks_like_a_file(output: str) -> bool:
    """Whether a path that is no folder has a suffix, as in result.gif: probably a slip."""
    return bool(Path(output).suffix) and not output.endswith(os.sep) and not Path(output).is_dir()


def _expand(text: str, recursive: bool) -> list[tuple[Path, Path]]:
    path = Path(text).expanduser()
    if path.is_dir():
        found = _images_below(path, recursive)
        if not found:
            deeper = "" if recursive else "; --recursive looks into its subfolders"
            raise UserError(
                f"No images ({' '.join(SUFFIXES)}) in this folder{deeper}. Received: {text!r}"
            )
        return found
    if path.exists():
        return [(path, Path(path.name))]
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
    if not matches:
        raise FileNotFoundError(f"No such file or folder. Received: {text!r}")
    pairs = []
    for match in matches:
        if match.is_dir():
            pairs += _images_below(match, recursive)
        elif match.suffix.lower() in SUFFIXES:
            pairs.append((match, Path(match.name)))
    if not pairs:
        raise UserError(f"No images ({' '.join(SUFFIXES)}) match. Received: {text!r}")
    return pairs


def _images_below(folder: Path, recursive: bool) -> list[tuple[Path, Path]]:
    files = folder.rglob("*") if recursive else folder.iterdir()
    return [
        (file, file.relative_to(folder))
        for file in sorted(files)
        if file.is_file() and file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    ]


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    sources = {job.source.resolve() for job in jobs}
    taken: dict[Path, Path] = {}
    for job in jobs:
        target = job.target.resolve()
        if target in sources:
            raise UserError(
                "The output would replace an input; choose another --output. "
                f"Received: {str(job.target)!r}"
            )
        if target in taken:
            raise UserError(
                f"Two inputs would be written to {str(job.target)!r}; denoise them into different "
                f"folders. Received: {str(taken[target])!r} and {str(job.source)!r}"
            )
        taken[target] = job.source


def run_jobs(
    jobs: Sequence[Job],
    denoiser: Denoiser,
    sigma: float | None = None,
    overwrite: bool = False,
    on_tile: Callable[[Job, int, int], None] | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Denoises files one after the other; one that fails does not stop the rest.

    Args:
        jobs: From `plan_jobs`.
        denoiser: The network.
        sigma: Standard deviation of the noise in 8-bit units; None estimates it from each image.
            Networks for a fixed sigma are told neither.
        overwrite: Replace outputs that exist; otherwise they are skipped.
        on_tile: Called with the job, tiles done and tiles in all.
        on_outcome: Called after each job.

    Returns:
        An outcome for each job.
    """
    outcomes = []
    for job in jobs:
        outcome = _run(job, denoiser, sigma, overwrite, on_tile)
        outcomes.append(outcome)
        if on_outcome:
            on_outcome(outcome)
    return outcomes


def _run(
    job: Job,
    denoiser: Denoiser,
    sigma: float | None,
    overwrite: bool,
    on_tile: Callable[[Job, int, int], None] | None,
) -> Outcome:
    if job.target.exists() and not overwrite:
        return Outcome(job, skipped=True)
    start = time.perf_counter()
    try:
        image = read_image(job.source)
        estimate = estimate_sigma(image) if sigma is None else None
        level = (sigma if estimate is None else estimate) if denoiser.takes_sigma else None
        result = denoiser(
            image, level, on_tile=lambda done, total: on_tile(job, done, total) if on_tile else None
        )
        write_image(job.target, result)
    except (UserError, ValueError, OSError, MemoryError) as error:
        return Outcome(job, error=str(error) or type(error).__name__)
    return Outcome(
        job,
        width=image.shape[1],
        height=image.shape[0],
        sigma=level,
        estimated_sigma=estimate,
        seconds=time.perf_counter() - start,
    )
