"""Kills training runs and checks that they end with the weights of a run that nothing disturbs.

    python tools/checks/kill_training.py --kills=20 --seed=1

A small network trains on a random picture and saves its state after every step. Runs are killed by
SIGKILL at random moments, every second time while a state is half written, and resumed by the same
command, some of them with a clock that jumps by days. A run that ends before its kill is checked,
and another one begins. All that a kill leaves must be whole, and the end equal bit for bit. A disk
that is full and a folder that cannot be written must end in one line and exit status 1, and the
next run must end as if nothing had been. The exit status is 1 if one of this did not hold.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

STEPS = 12
_BINDINGS = (
    *("build_model.depth = 3", "build_model.width = 4", "build_model.dynamic = None"),
    *(f"STEPS = {STEPS}", "run_experiment.patch_size = 16", "TrainingOptions.batch_size = 2"),
    *("TrainingOptions.save_every = 1", "TrainingOptions.validate_every = 4"),
    *("TrainingOptions.log_every = 1", "optimizer.ema = 0.9"),
)
_CONFIGS = ("networks/dncnn_malleconv.gin", "noise/sigma25.gin")
_KINDS = (".npz", ".keras")  # Files of a run that are compared.
_LONGEST = 600.0
_CAPABILITY_VERSION = 0x20080522  # Of Linux's capset, the third.
# Its processes start within a second: TensorFlow is imported once, and has no threads yet.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["mallenet_tf.train", "mallenet_tf.experiment.gin_configuration"])


def train(run: Path, pictures: Path, prepare: Callable[[], None] | None = None) -> None:
    """Runs the command in this process, with its output in a file beside the run."""
    from absl import flags

    from mallenet_tf import train as command
    from mallenet_tf.common.errors import run_main

    log = os.open(log_of(run), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if prepare is not None:
        prepare()
    bindings = (*_BINDINGS, f'PHOTOGRAPHS = "{pictures}"', f'VALIDATION = "{pictures}"')
    given = [f"--gin_file={name}" for name in _CONFIGS]
    given += [f"--gin_param={binding}" for binding in bindings]
    flags.FLAGS(["train", *given, f"--model_dir={run}"])
    run_main(command.main)(["train"])


def log_of(run: Path) -> Path:
    """Returns the file with what a run printed at last."""
    return run.with_name(f"{run.name}.log")


def jump() -> None:
    """Makes this process's clocks jump by days at every look."""
    random = np.random.default_rng()
    for name in ("time", "monotonic", "perf_counter"):
        clock = getattr(time, name)
        setattr(time, name, lambda clock=clock: clock() + random.uniform(-1e6, 1e6))


def fill_disk() -> None:
    """Lets this process write files of a few kilobytes alone, as if the disk were full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))


def drop_rights() -> None:
    """Takes the capabilities from this process, with which root writes everywhere."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset failed")


def start(run: Path, pictures: Path, prepare: Callable[[], None] | None = None) -> Any:
    """Starts the command in a process of its own."""
    process = _CONTEXT.Process(target=train, args=(run, pictures, prepare))
    process.start()
    return process


def finish(run: Path, pictures: Path, prepare: Callable[[], None] | None = None) -> int | None:
    """Runs the command to its end; returns the exit status, None if it hangs."""
    process = start(run, pictures, prepare)
    process.join(_LONGEST)
    if process.is_alive():
        process.kill()
        process.join()
        return None
    return process.exitcode


def arrays(path: Path) -> dict[str, np.ndarray]:
    """Returns all that a run's state or network holds.

    Raises:
        Exception: If the file is not whole.
    """
    if path.suffix == ".npz":
        with path.open("rb") as file:  # np.load leaves a damaged one open.
            return dict(np.load(file))
    found: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as weights:
        with h5py.File(weights) as file:
            file.visititems(
                lambda name, item: found.update({name: item[()]} if hasattr(item, "shape") else {})
            )
    return found


def contents(run: Path) -> dict[str, dict[str, np.ndarray]]:
    """Returns the arrays of each file of a run, and its history."""
    found = {path.name: arrays(path) for path in sorted(run.glob("[!.]*")) if path.suffix in _KINDS}
    record = run / "run.json"
    if record.exists():
        history = json.loads(record.read_text())
        found["run.json"] = {"step": history["step"], "best": history["best_psnr"]}
    return found


def differences(run: Path, whole: dict[str, dict[str, np.ndarray]]) -> Iterator[str]:
    """Yields what of a run that has ended differs from one that was not disturbed."""
    found = contents(run)
    if list(found) != list(whole):
        yield f"{run.name}: holds {list(found)} and not {list(whole)}"
        return
    for name, values in whole.items():
        same = list(values) == list(found[name]) and all(
            np.array_equal(value, found[name][key]) for key, value in values.items()
        )
        if not same:
            yield f"{run.name}: another {name}"
    for path in run.glob(".*"):
        yield f"{run.name}: {path.name} was left"


def wait_for_write(process: Any, run: Path, count: int) -> None:
    """Waits until so many states were begun, and the last is being written."""
    seen: set[str] = set()
    while process.is_alive() and len(seen) < count:
        seen |= {path.name for path in run.glob(".*.npz")}
        time.sleep(0.0005)


def kill_runs(folder: Path, kills: int, seed: int) -> list[str]:
    """Kills and resumes runs; returns what did not hold."""
    random = np.random.default_rng(seed)
    pictures = folder / "pictures"
    pictures.mkdir()
    Image.fromarray(random.integers(0, 256, (24, 40, 3), np.uint8)).save(pictures / "a.png")
    if finish(folder / "whole", pictures) != 0:
        return [f"the undisturbed run failed: {log_of(folder / 'whole').read_text()[-2000:]}"]
    whole, faults, runs, done, half_written = contents(folder / "whole"), [], 0, 0, 0
    while done < kills:
        run = folder / f"run{runs}"
        process = start(run, pictures, jump if done % 3 == 2 else None)
        wait_for_write(process, run, int(random.integers(1, STEPS // 2)))
        time.sleep(done % 2 * float(random.uniform(0, 1)))
        process.kill()
        process.join()
        if killed := process.exitcode != 0:
            done += 1
            half_written += bool(list(run.glob(".*")))
            try:
                state = contents(run).get("state.npz", {"step": 0})
                print(f"kill {done}: {run.name} at step {state['step']}", flush=True)
            except Exception as error:  # h5py, zipfile and NumPy raise a dozen unrelated types.
                faults.append(f"kill {done} left what is not whole: {error!r}")
        if not killed or done == kills:
            if (status := finish(run, pictures)) != 0:
                faults.append(f"{run.name} ended with {status}: {log_of(run).read_text()[-2000:]}")
            faults += differences(run, whole)
            runs += 1
    print(f"{kills} kills of {runs} runs, {half_written} in the middle of a write", flush=True)
    return faults + list(_disturb(folder, pictures, whole))


def _disturb(folder: Path, pictures: Path, whole: dict) -> Iterator[str]:
    """Yields what did not hold on a full disk, in a folder that cannot be written, in odd time."""
    read_only = folder / "read_only"
    read_only.mkdir(mode=0o555)
    for name, prepare, run in (
        ("a full disk", fill_disk, folder / "full"),
        ("a read-only folder", drop_rights, read_only),
        ("a clock that jumps", jump, folder / "clock"),
    ):
        status, lines = finish(run, pictures, prepare), log_of(run).read_text().splitlines()
        print(f"{name}: exit status {status}; {lines[-1] if lines else ''}", flush=True)
        if prepare is not jump:
            errors = [line for line in lines if line.startswith("error:")]
            if status != 1 or len(errors) != 1 or any("Traceback" in line for line in lines):
                yield f"{name}: exit status {status}, {lines[-3:]}"
            run.chmod(0o755)
            status = finish(run, pictures)
        if status != 0:
            yield f"{name}: the next run ended with {status}"
        yield from differences(run, whole)


def main(given: list[str] | None = None) -> int:
    """Kills runs and prints what did not hold; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        faults = kill_runs(Path(folder), options.kills, options.seed)
    for fault in faults:
        print(fault)
    print(f"{options.kills} kills, {len(faults)} faults")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
