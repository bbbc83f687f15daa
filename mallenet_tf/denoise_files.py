"""Loads a network and denoises files with it: what `python -m mallenet_tf.denoise` does."""

import sys
from collections.abc import Sequence
from pathlib import Path

from mallenet_tf import models
from mallenet_tf.benchmark import parse_sigma as parse_level
from mallenet_tf.errors import UserError
from mallenet_tf.inference.denoiser import DEFAULT_TILE, Denoiser
from mallenet_tf.inference.jobs import Job, Outcome, plan_jobs, run_jobs

# Further than this from the level it was trained for, a network leaves noise or takes details.
FAR_FROM_TRAINED = 0.25
# Below this estimate nothing would be denoised, and the noise is probably not white.
LITTLE_NOISE = 1.0


def parse_sigma(text: str) -> float | None:
    """`--sigma`: None for "auto".

    Raises:
        UserError: If it is neither "auto" nor a number from 0 to 255.
    """
    return None if text == "auto" else parse_level(text)


def run(
    inputs: Sequence[str],
    output: str,
    weights: str | Path | None = None,
    sigma: float | None = None,
    tile: int = DEFAULT_TILE,
    ensemble: bool = False,
    recursive: bool = False,
    overwrite: bool = False,
) -> int:
    """Denoises files and prints a line for each.

    Args:
        inputs: Files, folders and globs.
        output: A file or folder, see `inference.jobs.plan_jobs`.
        weights: As `models.load_model` takes them; None for the shipped default.
        sigma: Standard deviation of the noise in 8-bit units; None estimates it.
        tile: Largest side denoised at once; 0 for no limit.
        ensemble: Average over flips and rotations.
        recursive: Look into subfolders.
        overwrite: Replace outputs that exist.

    Returns:
        Exit status: 0, or 1 if a file failed or the single output was there already.

    Raises:
        UserError, ValueError, FileNotFoundError: If nothing can be done at all.
    """
    jobs = plan_jobs(inputs, output, recursive)
    if len(jobs) == 1 and jobs[0].target.exists() and not overwrite:
        raise UserError(f"The output exists; --overwrite replaces it. Received: {jobs[0].target}")
    network = models.load_model(weights or models.DEFAULT_WEIGHTS)
    denoiser = Denoiser(network, tile=tile, ensemble=ensemble)
    if sigma is not None:
        denoiser.check_sigma(sigma)
    printer = _Printer(len(jobs), denoiser.model.trained_sigma)
    outcomes = run_jobs(jobs, denoiser, sigma, overwrite, printer.tile, printer.outcome)
    failures = [outcome for outcome in outcomes if outcome.error]
    if failures:
        print(f"{len(failures)} of {len(jobs)} files failed:", file=sys.stderr)
        for outcome in failures:
            source, error = str(outcome.job.source), str(outcome.error)
            print(f"  {error if source in error else f'{source}: {error}'}", file=sys.stderr)
    return int(bool(failures))


class _Printer:
    """A plain line per file; on a terminal also the tiles of the file in work."""

    def __init__(self, total: int, trained_sigma: float | None):
        self.total, self.done = total, 0
        self.trained_sigma = trained_sigma
        self.live = sys.stdout.isatty()

    def tile(self, job: Job, done: int, total: int) -> None:
        if self.live:
            line = f"[{self.done + 1}/{self.total}] {job.source}  tile {done}/{total}"
            print(f"\r\x1b[K{line[-100:]}", end="", flush=True)

    def outcome(self, outcome: Outcome) -> None:
        self.done += 1
        head = f"[{self.done}/{self.total}] {outcome.job.source}"
        start = "\r\x1b[K" if self.live else ""
        if outcome.skipped:
            print(f"{start}{head}  skipped: {outcome.job.target} exists (--overwrite replaces it)")
        elif outcome.error:
            print(f"{start}{head}  FAILED")
        else:
            size = f"{outcome.width} x {outcome.height}"
            print(
                f"{start}{head} -> {outcome.job.target}  {size}  {self._level(outcome)}"
                f"  {outcome.seconds:.1f} s",
                flush=True,
            )

    def _level(self, outcome: Outcome) -> str:
        estimate, trained = outcome.estimated_sigma, self.trained_sigma
        if outcome.sigma is not None:
            text = f"sigma {outcome.sigma:.1f}"
            if estimate is not None:
                text += " (estimated)"
                if estimate < LITTLE_NOISE:
                    text += "  note: hardly any white noise found; --sigma sets the strength"
            return text
        text = f"sigma {trained:g} (fixed)" if trained is not None else "fixed sigma"
        if trained and estimate is not None and abs(estimate / trained - 1) > FAR_FROM_TRAINED:
            text += f"  warning: the noise looks like sigma {estimate:.1f}"
        return text
