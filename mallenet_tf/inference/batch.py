"""Denoises a batch of files: what `python -m mallenet_tf.denoise` does."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mallenet_tf.common.errors import UserError, user_input
from mallenet_tf.common.progress import print_line, progress
from mallenet_tf.common.startup import start_keras
from mallenet_tf.image_io.animations import is_animation
from mallenet_tf.image_io.file_kinds import count_kinds, describe_kinds
from mallenet_tf.inference.batch_plan import Job, list_others, plan_jobs
from mallenet_tf.inference.image_file import denoise_image_file
from mallenet_tf.inference.networks import Networks
from mallenet_tf.inference.options import Options
from mallenet_tf.inference.outcome import (
    Outcome,
    describe,
    describe_summary,
    failure_lines,
    summarize,
)
from mallenet_tf.inference.video_file import denoise_video_file

_log = logging.getLogger(__name__)


def denoise_files(inputs: Sequence[str], output: str, options: Options) -> int:
    """Denoises files and prints a line for each; one that fails does not stop the rest.

    Files in the folders given that are neither images nor asked for are counted by kind, before the
    work and after it.

    Args:
        inputs: Images, videos, folders and globs; see `batch_plan.plan_jobs`.
        output: A file or a folder.
        options: What is done to each file.

    Returns:
        Exit status: 0, or 1 if a file failed or was damaged. Files that are not read count for
        nothing.

    Raises:
        UserError: If no file can be denoised.
    """
    with user_input():
        jobs = plan_jobs(inputs, output, options)
        not_read = count_kinds(list_others(inputs, output, options, jobs))
    if not_read:
        print_line(f"Not read: {describe_kinds(not_read)}{_advice(not_read)}", options.stream)
    start_keras()  # Mistakes above need no TensorFlow.
    networks = Networks(options, video=all(job.video for job in jobs))
    start = time.monotonic()
    outcomes: list[Outcome] = []
    for job in progress(jobs, len(jobs), "Denoising", keep=False):
        outcome = denoise_file(job, networks, options)
        outcomes.append(outcome)
        print_line(f"[{len(outcomes)}/{len(jobs)}] {describe(outcome)}", options.stream)
    summary = summarize(outcomes, not_read, time.monotonic() - start)
    return print_summary(summary, options, in_words=len(jobs) > 1 or bool(not_read))


def print_summary(summary: Mapping[str, Any], options: Options, in_words: bool = True) -> int:
    """Prints what failed, the summary in words, and with --json itself; returns the exit status."""
    for line in failure_lines(summary):
        print(line, file=sys.stderr)
    if in_words:
        print_line(describe_summary(summary), options.stream)
    if options.json:
        print(json.dumps(summary, indent=2))
    return int(bool(summary["failed"] or summary["damaged"]))


def denoise_file(job: Job, networks: Networks, options: Options) -> Outcome:
    """Denoises one file, unless its output exists; a failure is an outcome."""
    if job.target.is_file() and not options.overwrite:
        return Outcome(job, skipped=True)
    try:
        if job.video:
            return denoise_video_file(job, networks, options)
        if is_animation(job.source):  # One in a folder of images.
            return denoise_video_file(replace(job, video=True), networks, options)
        return denoise_image_file(job, networks, options)
    except (UserError, ValueError, OSError) as error:
        return Outcome(job, error=str(error) or type(error).__name__)
    except Exception as error:  # A defect, or too little memory.
        _log.exception("Failed: %s", job.source)
        return Outcome(job, error=f"{type(error).__name__}: {error}")


def _advice(not_read: Mapping[str, int]) -> str:
    advice = {
        "videos": "videos are denoised when they are named, as holiday/*.mp4",
        "subfolders": "--recursive searches subfolders",
    }
    said = [text for kind, text in advice.items() if kind in not_read]
    return f" ({'; '.join(said)})" if said else ""
