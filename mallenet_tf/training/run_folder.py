"""What a run leaves in its folder.

    state.npz     everything the next step depends on, for going on
    last.keras    the model with the averaged weights, at the last validation or stop
    best.keras    the same, at the best validation
    config.gin    the operative configuration
    run.json      one entry per start: command, versions, git state, steps, best validation
    events.*      TensorBoard scalars and pictures
"""

import datetime
import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path

import keras

from mallenet_tf.files import atomic_path

PACKAGES = ("tensorflow", "keras", "numpy", "gin-config", "tensorflow-datasets")


def save_model(path: Path, model: keras.Model) -> None:
    """Writes a `.keras` file in one piece."""
    with atomic_path(path) as temporary:
        model.save(temporary)


def write_text(path: Path, text: str) -> None:
    """Writes a text file in one piece."""
    with atomic_path(path) as temporary:
        temporary.write_text(text)


class RunRecord:
    """The history of a run, kept in `run.json`.

    Args:
        folder: the run's folder.
        step: the step this start goes on from.
        replicas: how many devices train.
    """

    def __init__(self, folder: Path, step: int, replicas: int):
        self._path = folder / "run.json"
        stored = json.loads(self._path.read_text()) if self._path.exists() else {}
        self.best: float | None = stored.get("best_psnr")
        self._starts = stored.get("starts", [])
        self._start = {
            "command": [sys.executable, *sys.orig_argv[1:]],
            "started": _now(),
            "first_step": step,
            "replicas": replicas,
            "machine": f"{platform.machine()}, {platform.processor() or platform.system()}",
            "python": platform.python_version(),
            "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
            "git": _git_state(),
        }
        self._starts.append(self._start)

    def save(self, step: int) -> None:
        """Notes the step reached and writes the file."""
        self._start |= {"last_step": step, "last_saved": _now()}
        record = {"step": step, "best_psnr": self.best, "starts": self._starts}
        write_text(self._path, json.dumps(record, indent=2) + "\n")


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _git_state() -> dict[str, object] | None:
    """Commit and whether files differ from it; None outside a git checkout."""
    folder = Path(__file__).resolve().parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
