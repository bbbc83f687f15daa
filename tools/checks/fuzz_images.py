"""Denoises damaged image and video files and checks what `denoise` promises of every input.

    python tools/checks/fuzz_images.py --minutes=15 --seed=1
    python tools/checks/fuzz_images.py --minutes=15 --kind=videos --keep=found/

A file gives a whole result, or one line that says why not and no file at all: no traceback, no
crash, no hang, no half file, nothing written elsewhere, no more memory than --max_memory and what
the process takes itself. An identity stands in for the network. The exit status is 1 if one did not
hold; such inputs are kept.
"""

from __future__ import annotations

import argparse
import collections
import logging
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parent))
from fuzz_seeds import write_seeds
from identity_network import IdentityNetworks
from mutations import mutate

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import read_image
from mallenet_tf.image_io.file_kinds import ANIMATION_SUFFIXES
from mallenet_tf.image_io.video_reader import VideoFileReader
from mallenet_tf.inference.batch import denoise_file
from mallenet_tf.inference.batch_plan import plan_jobs
from mallenet_tf.inference.options import Options

_MAX_MEMORY = 1_000_000_000
_SECONDS_FOR_A_FILE = 20.0  # Of the processor.


class _Defects(logging.Handler):
    """Keeps the defects that `denoise` logs with a traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(f"traceback: {record.exc_info[1]!r}")


def denoise_and_check(source: Path, output: Path, defects: _Defects) -> str:
    """Denoises one file into a folder.

    Returns:
        "denoised", "refused", or what did not hold.
    """
    defects.found.clear()
    options = Options(json=True)
    before = source.read_bytes()
    try:
        (job,) = plan_jobs([str(source)], str(output), options)
    except (UserError, ValueError, OSError):
        return "refused"
    outcome = denoise_file(job, IdentityNetworks(_MAX_MEMORY), options)
    written = sorted(path.name for path in output.rglob("*")) if output.exists() else []
    if defects.found:
        return defects.found[0]
    if source.read_bytes() != before or len(list(source.parent.iterdir())) != 1:
        return "wrote beside its output"
    if outcome.error:
        return f"left {written} behind" if written else "refused"
    if job.video and outcome.job.target.is_dir():
        return "denoised" if len(written) == outcome.frames else f"wrote {written}"
    if written != [job.target.name]:
        return f"wrote {written}"
    return _check_result(job.target, outcome.width, outcome.height)


def _check_result(target: Path, width: int, height: int) -> str:
    try:
        if target.suffix.lower() in ANIMATION_SUFFIXES or target.suffix not in (".mp4", ".mkv"):
            shape = read_image(target).shape
        else:
            shape = next(iter(VideoFileReader(target).frames())).shape
    except UserError as error:
        return "denoised" if "frames; save the one" in str(error) else f"wrote what is no: {error}"
    return "denoised" if shape[:2] == (height, width) else f"wrote a size of {shape}"


def _work(connection: Connection) -> None:
    """Answers each (file, folder) with what happened, and the memory used so far in KB."""
    defects = _Defects()
    logging.getLogger("mallenet_tf").addHandler(defects)
    logging.getLogger("mallenet_tf").propagate = False
    with open(os.devnull, "w") as nowhere:  # C libraries print too.
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
    while True:
        source, output = connection.recv()
        result = denoise_and_check(source, output, defects)
        connection.send((result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


class _Worker:
    """A process that denoises; it is replaced when it hangs or crashes."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def denoise(self, source: Path, output: Path) -> str:
        """Returns what happened to a file."""
        self._connection.send((source, output))
        if not self._answers():
            self.stop()
            self._start()
            return f"worked for more than {_SECONDS_FOR_A_FILE:.0f} s"
        try:
            result, kilobytes = self._connection.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            self._start()
            return f"crashed with {code}"
        if kilobytes * 1000 > 2 * _MAX_MEMORY:
            self.stop()
            self._start()
            return f"took {kilobytes / 1e6:.1f} GB"
        return result

    def _answers(self) -> bool:
        """Waits for an answer; counts seconds of the processor, since machines are busy."""
        process = psutil.Process(self._process.pid)
        start = sum(process.cpu_times()[:2])
        waits = 0
        while not self._connection.poll(5.0):
            waits += 1
            busy = sum(process.cpu_times()[:2]) - start
            if busy > _SECONDS_FOR_A_FILE or 5.0 * waits > 20 * _SECONDS_FOR_A_FILE:
                return False
        return True

    def stop(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.join()


def fuzz(
    seeds: list[Path], seconds: float, seed: int, keep: Path, most: int | None = None
) -> dict[str, collections.Counter]:
    """Denoises mutations of files for a while.

    Args:
        seeds: Whole files.
        seconds: How long.
        seed: Of the random numbers; file *i* follows from it and *i*.
        keep: Folder for inputs for which a promise did not hold.
        most: Most files; None for no limit.

    Returns:
        For each suffix how many files were denoised, were refused, or what did not hold.
    """
    counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    worker, end, index = _Worker(), time.monotonic() + seconds, 0
    with tempfile.TemporaryDirectory() as work:
        while time.monotonic() < end and index != most:
            random = np.random.default_rng([seed, index])
            original = seeds[int(random.integers(len(seeds)))]
            folder = Path(work, str(index))
            source = folder / "in" / f"file{original.suffix}"
            source.parent.mkdir(parents=True)
            source.write_bytes(mutate(original.read_bytes(), random))
            result = worker.denoise(source, folder / "out")
            counts[original.suffix][result] += 1
            if result not in ("denoised", "refused"):
                keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, keep / f"{seed}_{index}_{original.name}")
                print(f"{original.name} {index}: {result}", flush=True)
            shutil.rmtree(folder)
            index += 1
    worker.stop()
    return counts


def main(arguments: list[str] | None = None) -> int:
    """Fuzzes and prints a table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--most", type=int, help="most files; default: no limit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=("images", "videos"), default="images")
    parser.add_argument("--keep", type=Path, default=Path("fuzz_findings"))
    options = parser.parse_args(arguments)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        seeds = write_seeds(Path(folder), options.kind == "videos")
        counts = fuzz(seeds, 60 * options.minutes, options.seed, options.keep, options.most)
    total = 0
    for suffix, found in sorted(counts.items()):
        files = found.total()
        faults = files - found["denoised"] - found["refused"]
        print(
            f"{suffix:6} {files:7} files {found['denoised']:7} denoised "
            f"{found['refused']:7} refused {faults:4} faults"
        )
        total += faults
    files, minutes = sum(found.total() for found in counts.values()), time.monotonic() - start
    print(f"{files} files in {minutes / 60:.1f} minutes, {total} faults")
    return int(total > 0)


if __name__ == "__main__":
    sys.exit(main())
