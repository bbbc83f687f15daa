"""What became of each file of a batch, in words and as a summary."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mallenet_tf.inference.batch_plan import Job
from mallenet_tf.inference.noise_level import NoiseLevel


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: The job.
        width: Width of the image or of the frames in pixels.
        height: Height of the image or of the frames in pixels.
        frames: Number of frames; 1 for an image.
        skipped_frames: Number of frames whose output existed.
        level: Noise level that the network was told; None if the file failed or was skipped.
        seconds: Time for denoising and writing, without the first reading.
        skipped: Whether the output existed.
        error: Why it failed; None if it did not.
        warnings: Conversion warnings.
    """

    job: Job
    width: int = 0
    height: int = 0
    frames: int = 1
    skipped_frames: int = 0
    level: NoiseLevel | None = None
    seconds: float = 0.0
    skipped: bool = False
    error: str | None = None
    warnings: tuple[str, ...] = ()


def describe(outcome: Outcome) -> str:
    """Describes an outcome in a line, followed by one for each warning."""
    source, target = outcome.job.source, outcome.job.target
    if outcome.skipped:
        return f"{source}  skipped: {target} exists (--overwrite replaces it)"
    if outcome.error:
        return f"{source}  FAILED"
    line = f"{source} -> {target}  {_describe_work(outcome)}"
    return "\n".join([line, *(f"    warning: {warning}" for warning in outcome.warnings)])


def _describe_work(outcome: Outcome) -> str:
    if outcome.job.video:
        duration = datetime.timedelta(seconds=round(outcome.seconds))
        text = f"{outcome.frames - outcome.skipped_frames} frames in {duration}"
        skipped = f", {outcome.skipped_frames} were there (--overwrite replaces them)"
        return text + skipped * bool(outcome.skipped_frames)
    rate = outcome.width * outcome.height / 1e6 / max(outcome.seconds, 1e-9)
    size = f"{outcome.width} x {outcome.height}"
    return f"{size}  {outcome.level}  {outcome.seconds:.1f} s, {rate:.2f} MP/s"


def failure_lines(outcomes: Sequence[Outcome]) -> list[str]:
    """Lists the files that failed and why; nothing if none did."""
    failures = [outcome for outcome in outcomes if outcome.error]
    lines = [f"{len(failures)} of {len(outcomes)} files failed:"] if failures else []
    for outcome in failures:
        source, error = str(outcome.job.source), str(outcome.error)
        lines.append(f"  {error if source in error else f'{source}: {error}'}")
    return lines


def summarize(outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """Returns the JSON summary of a batch that took so many seconds."""
    failed = sum(outcome.error is not None for outcome in outcomes)
    skipped = sum(outcome.skipped for outcome in outcomes)
    return {
        "denoised": len(outcomes) - failed - skipped,
        "skipped": skipped,
        "failed": failed,
        "seconds": seconds,
        "files": [_fields(outcome) for outcome in outcomes],
    }


def _fields(outcome: Outcome) -> dict[str, Any]:
    fields = vars(outcome).copy()
    job, level = fields.pop("job"), fields.pop("level")
    return {
        "source": str(job.source),
        "target": str(job.target),
        **fields,
        "noise": {"sigma": "white", "camera": "camera"}[level.level_map] if level else None,
        "sigma": level.sigma if level else None,
        "estimated_sigma": level.estimated if level else None,
    }
