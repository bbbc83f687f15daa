"""Which files are denoised, and where each result goes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.file_search import find_files
from mallenet_tf.image_io.formats import IMAGE_SUFFIXES, format_of


@dataclass(frozen=True)
class Job:
    """One file to denoise and where the result goes."""

    source: Path
    target: Path


def plan_jobs(
    inputs: Sequence[str], output: str, recursive: bool = False, overwrite: bool = False
) -> list[Job]:
    """Pairs input files with output files.

    The output is a file if there is one input file and `output` has an image's suffix and is no
    folder; otherwise a folder. Below it, files from a folder keep their place under that folder.
    Results of an earlier run in the output folder are no inputs.

    Args:
        inputs: Files, folders, globs and lists, as in `file_search.find_files`.
        output: A file or folder.
        recursive: Search the subfolders of folders too.
        overwrite: Allow a file to be replaced by its own result.

    Returns:
        Jobs in the order of the inputs, a file named twice only once.

    Raises:
        UserError: If nothing matches, two inputs would go to one output, or the output is an input.
        FileNotFoundError: If an input does not exist.
    """
    target = Path(output)
    found: dict[Path, Path] = {}  # a source, and its place below an output folder
    for source, place in find_files(inputs, IMAGE_SUFFIXES, recursive=recursive):
        if not _is_result(source, place, target):
            found.setdefault(source, place)
    single = len(inputs) == 1 and len(found) == 1 and not Path(inputs[0]).is_dir()
    as_file = target.suffix.lower() in IMAGE_SUFFIXES and not target.is_dir()
    if as_file and not single:
        raise UserError(
            f"Several images cannot go to one file; name a folder. Received: --output={output}"
        )
    if not as_file and (target.is_file() or (single and looks_like_a_file(output))):
        format_of(target)
    jobs = [Job(source, target if as_file else target / place) for source, place in found.items()]
    _refuse_collisions(jobs, overwrite)
    return jobs


def _is_result(source: Path, place: Path, output: Path) -> bool:
    """Whether a file was found in an output folder that lies below the input folder."""
    folder, results = source.parents[len(place.parts) - 1].resolve(), output.resolve()
    return folder in results.parents and results in source.resolve().parents


def looks_like_a_file(output: str) -> bool:
    """Whether a path that is no folder has a suffix, as in result.gif: probably a slip."""
    return bool(Path(output).suffix) and not output.endswith(os.sep) and not Path(output).is_dir()


def _refuse_collisions(jobs: Sequence[Job], overwrite: bool) -> None:
    sources = {job.source.resolve() for job in jobs}
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
