"""Loads a network and denoises files with it: what `python -m mallenet_tf.denoise` does."""

import datetime
import functools
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mallenet_tf import models
from mallenet_tf.common.checks import parse_sigma as parse_level
from mallenet_tf.common.errors import UserError
from mallenet_tf.inference import memory
from mallenet_tf.inference.batch_plan import Job, plan_jobs
from mallenet_tf.inference.batch_runner import Outcome, Settings, run_jobs
from mallenet_tf.inference.denoiser import Denoiser
from mallenet_tf.inference.noise_level import NoiseLevel, check_sigma
from mallenet_tf.inference.single_image import default_weights


def parse_sigma(text: str) -> float | None:
    """`--sigma`: None for "auto".

    Raises:
        UserError: If it is neither "auto" nor a number from 0 to 255.
    """
    return None if text == "auto" else parse_level(text)


def parse_places(texts: Sequence[str] | None) -> list[tuple[int, int]] | None:
    """`--show_kernels`: pixels from "X,Y"; None if there are none.

    Raises:
        UserError: If one is no pair of whole numbers.
    """
    places = []
    for text in texts or []:
        try:
            x, y = map(int, text.split(","))
        except ValueError as error:
            raise UserError(f"A pixel is given as X,Y. Received: --show_kernels={text}") from error
        places.append((x, y))
    return places or None


def run(
    inputs: Sequence[str],
    output: str,
    weights: str | Path | None = None,
    sigma: float | None = None,
    strength: float = 1.0,
    max_memory: str | None = None,
    tile: int | None = None,
    ensemble: bool = False,
    recursive: bool = False,
    overwrite: bool = False,
    compare: bool = False,
    kernels_at: Sequence[tuple[int, int]] | None = None,
    as_json: bool = False,
) -> int:
    """Denoises files and prints a line for each.

    Args:
        inputs: Files, folders and globs.
        output: A file or folder, see `inference.jobs.plan_jobs`.
        weights: As `models.load_model` takes them; None for the shipped ones for colour or, where
            an image shows none, gray.
        sigma: Standard deviation of the noise in 8-bit units; None estimates it.
        strength: Share of the denoised image in the result, from 0 to 1.
        max_memory: Of the process, see `inference.memory.parse_memory`; None for no limit.
        tile: Side of the tiles; None for the fastest that fits the memory, 0 for none.
        ensemble: Average over flips and rotations.
        recursive: Look into subfolders.
        overwrite: Replace outputs that exist.
        compare: Write a picture of before and after beside each result.
        kernels_at: Write a picture of the kernels, and those at (x, y) used everywhere.
        as_json: Print a JSON summary to stdout, and the lines to stderr.

    Returns:
        Exit status: 0, or 1 if a file failed or the single output was there already.

    Raises:
        UserError, ValueError, FileNotFoundError: If nothing can be done at all.
    """
    jobs = plan_jobs(inputs, output, recursive, overwrite)
    if len(jobs) == 1 and jobs[0].target.exists() and not overwrite:
        raise UserError(f"The output exists; --overwrite replaces it. Received: {jobs[0].target}")

    @functools.cache
    def limit() -> int | None:
        return None if max_memory is None else memory_limit(max_memory)

    @functools.cache
    def load(weights: str | Path) -> Denoiser:
        network = models.load_model(weights)
        if network.frames > 1:
            raise UserError(
                f"These weights denoise a frame of a video from the {network.frames} around it; "
                f"--video takes a folder for one. Received: --weights={weights}"
            )
        check_sigma(network, sigma)
        return Denoiser(network, tile, ensemble=ensemble, strength=strength, max_memory=limit())

    def choose(pixels: np.ndarray) -> Denoiser:
        return load(weights or default_weights(pixels))

    # Now, for what is wrong with the weights to be said at once.
    network = load(weights or models.DEFAULT_WEIGHTS).model
    settings = Settings(sigma, overwrite, limit(), compare, kernels_at)
    printer = _Printer(len(jobs), network.trained_sigma, sys.stderr if as_json else sys.stdout)
    start = time.monotonic()
    outcomes = run_jobs(jobs, choose, settings, printer.tile, printer.outcome)
    failures = [outcome for outcome in outcomes if outcome.error]
    if failures:
        print(f"{len(failures)} of {len(jobs)} files failed:", file=sys.stderr)
        for outcome in failures:
            source, error = str(outcome.job.source), str(outcome.error)
            print(f"  {error if source in error else f'{source}: {error}'}", file=sys.stderr)
    if as_json:
        print(json.dumps(_summary(outcomes, time.monotonic() - start), indent=2))
    return int(bool(failures))


def memory_limit(text: str) -> int:
    """`--max_memory` in bytes.

    Raises:
        UserError: If it is no amount of memory, or the process takes as much already.
    """
    limit, taken = memory.parse_memory(text), memory.resident()
    if limit <= taken:
        raise UserError(
            f"TensorFlow and the network alone take {taken / 1e6:.0f} MB; allow a few hundred "
            f"more than that. Received: --max_memory={text}"
        )
    return limit


def _summary(outcomes: Sequence[Outcome], seconds: float) -> dict:
    files = []
    for outcome in outcomes:
        fields = vars(outcome) | {
            "source": str(outcome.job.source),
            "target": str(outcome.job.target),
        }
        del fields["job"]
        files.append(fields)
    failed = sum(outcome.error is not None for outcome in outcomes)
    skipped = sum(outcome.skipped for outcome in outcomes)
    return {
        "denoised": len(outcomes) - failed - skipped,
        "skipped": skipped,
        "failed": failed,
        "seconds": seconds,
        "files": files,
    }


class _Printer:
    """A plain line per file; on a terminal also the tiles of the file in work."""

    def __init__(self, total: int, trained_sigma: float | None, stream):
        self.total, self.done, self.skipped = total, 0, 0
        self.trained_sigma = trained_sigma
        self.stream = stream
        self.live = stream.isatty()
        self.start = time.monotonic()

    def tile(self, job: Job, done: int, total: int) -> None:
        if self.live:
            left = self._left(self.done + done / total)
            line = f"[{self.done + 1}/{self.total}] {job.source}  tile {done}/{total}"
            self._print(f"{line[-80:]}{left}", end="")

    def outcome(self, outcome: Outcome) -> None:
        self.done += 1
        self.skipped += outcome.skipped
        head = f"[{self.done}/{self.total}] {outcome.job.source}"
        if outcome.skipped:
            self._print(f"{head}  skipped: {outcome.job.target} exists (--overwrite replaces it)")
        elif outcome.error:
            self._print(f"{head}  FAILED")
        else:
            rate = outcome.width * outcome.height / 1e6 / max(outcome.seconds, 1e-9)
            level = NoiseLevel(outcome.sigma, outcome.estimated_sigma, self.trained_sigma)
            self._print(
                f"{head} -> {outcome.job.target}  {outcome.width} x {outcome.height}"
                f"  {level}  {outcome.seconds:.1f} s, {rate:.2f} MP/s"
                f"{self._left(self.done)}"
            )
            for note in outcome.notes:
                self._print(f"    note: {note}")

    def _print(self, line: str, end: str = "\n") -> None:
        print(("\r\x1b[K" if self.live else "") + line, end=end, file=self.stream, flush=True)

    def _left(self, done: float) -> str:
        """The time left, by what the files took that were not skipped."""
        worked = done - self.skipped
        if done >= self.total or worked <= 0:
            return ""
        seconds = (time.monotonic() - self.start) / worked * (self.total - done)
        return f"  {datetime.timedelta(seconds=round(seconds))} left"
