"""What became of each file of a batch, in words and as a summary."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mallenet_tf.common.text import printable
from mallenet_tf.image_io.file_kinds import describe_kinds
from mallenet_tf.inference.batch_plan import Job
from mallenet_tf.inference.noise_level import NoiseLevel


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: The job.
        width: Width of the image or of the frames in pixels.
        height: Height of the image or of the frames in pixels.
        frames: Number of frames, or of pages; 1 for an image.
        skipped_frames: Number of frames whose output existed.
        level: Noise level that the network was told, the highest of several pages; None if the
            file failed or was skipped.
        seconds: Time for denoising and writing, without the first reading.
        skipped: Whether the output existed.
        error: Why it failed; None if it did not.
        warnings: Conversion warnings.
        damage: What of the input could not be read, where the rest was denoised; None if nothing.
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
    damage: str | None = None


def describe(outcome: Outcome) -> str:
    """Describes an outcome in a line, followed by one for each warning not printed before."""
    source, target = printable(outcome.job.source), printable(outcome.job.target)
    if outcome.skipped:
        return f"{source}  skipped: {target} exists (--overwrite replaces it)"
    if outcome.error:
        return f"{source}  FAILED"
    line = f"{source} -> {target}  {_describe_work(outcome)}"
    warnings = outcome.warnings if outcome.job.video else ()
    return "\n".join([line, *warning_lines(warnings, outcome.damage)])


def warning_lines(warnings: Sequence[str], damage: str | None = None) -> list[str]:
    """Returns a line for each conversion warning, and one for damage of the input."""
    texts = (*warnings, damage) if damage else warnings
    return [f"    warning: {printable(text)}" for text in texts]


def _describe_work(outcome: Outcome) -> str:
    if outcome.job.video:
        duration = datetime.timedelta(seconds=round(outcome.seconds))
        text = f"{outcome.frames - outcome.skipped_frames} frames in {duration}"
        skipped = f", {outcome.skipped_frames} were there (--overwrite replaces them)"
        return text + skipped * bool(outcome.skipped_frames)
    rate = outcome.frames * outcome.width * outcome.height / 1e6 / max(outcome.seconds, 1e-9)
    size = f"{outcome.width} x {outcome.height}"
    size += f", {outcome.frames} pages" * (outcome.frames > 1)
    return f"{size}  {outcome.level}  {outcome.seconds:.1f} s, {rate:.2f} MP/s"


def failure_lines(summary: Mapping[str, Any]) -> list[str]:
    """Lists the files of a JSON summary that failed or were damaged, and why."""
    lines: list[str] = []
    count = sum(summary[what] for what in ("denoised", "skipped", "failed"))
    for what, reason in (("failed", "error"), ("damaged", "damage")):
        found = [file for file in summary["files"] if file[reason]]
        lines += [f"{len(found)} of {count} files {what}:"] if found else []
        for file in found:
            source, text = printable(file["source"]), printable(file[reason])
            lines.append(f"  {text if source in text else f'{source}: {text}'}")
    return lines


def summarize(
    outcomes: Sequence[Outcome], not_read: Mapping[str, int], seconds: float
) -> dict[str, Any]:
    """Returns the JSON summary of a batch that took so many seconds."""
    failed = sum(outcome.error is not None for outcome in outcomes)
    skipped = sum(outcome.skipped for outcome in outcomes)
    return {
        "denoised": len(outcomes) - failed - skipped,
        "skipped": skipped,
        "failed": failed,
        "damaged": sum(outcome.damage is not None for outcome in outcomes),
        "not_read": dict(not_read),
        "seconds": seconds,
        "files": [_fields(outcome) for outcome in outcomes],
    }


def describe_summary(summary: Mapping[str, Any]) -> str:
    """Describes a JSON summary in a line."""
    line = ", ".join(f"{summary[what]} {what}" for what in ("denoised", "skipped", "failed"))
    line += f", {summary['damaged']} damaged" * bool(summary["damaged"])
    kinds = describe_kinds(summary["not_read"])
    return f"{line}; not read: {kinds}" if kinds else line


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
