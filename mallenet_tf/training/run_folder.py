"""What a run leaves in its folder.

state.npz     everything the next step depends on, for going on
last.keras    the model with the averaged weights, at the last validation or stop
best.keras    the same, at the best validation
config.gin    the operative configuration, if the caller has one
run.json      best validation, what decides about the weights, and one entry per start: command,
              versions, git state, steps
events.*      TensorBoard scalars and pictures
"""

import datetime
import importlib.metadata
import json
import math
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from mallenet_tf.common.files import atomic_path
from mallenet_tf.training.settings import check_settings

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
    """The history of a run, kept in `run.json`, and the configuration beside it.

    Args:
        folder: the run's folder.
        step: the step this start goes on from.
        replicas: how many devices train.
        configuration: says what the run was configured with, once it has made a step.
        settings: what decides about the weights, see `flat_settings`.

    Raises:
        UserError: if the run goes on, and began with other settings.
    """

    def __init__(
        self,
        folder: Path,
        step: int,
        replicas: int,
        configuration: Callable[[], str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ):
        self._folder = folder
        self._path = folder / "run.json"
        self._configuration = configuration
        stored = json.loads(self._path.read_text()) if self._path.exists() else {}
        # What was best, or set, does not bind a run that begins anew in the folder.
        best = stored.get("best_psnr") if step else None
        self.best: float | None = best if best is not None and math.isfinite(best) else None
        began = stored.get("settings", {}) if step else {}
        check_settings(folder, began, settings or {})
        self._settings = {**began, **(settings or {})}
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
        """Notes the step reached and writes the files."""
        self._start |= {"last_step": step, "last_saved": _now()}
        record = {
            "step": step,
            "best_psnr": self.best,
            "settings": self._settings,
            "starts": self._starts,
        }
        write_text(self._path, json.dumps(record, indent=2) + "\n")
        if self._configuration is not None:
            write_text(self._folder / "config.gin", self._configuration())


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _git_state() -> dict[str, object] | None:
    """Commit and whether files differ from it; None if this package is not in a git checkout."""
    file = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(file.parent), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", file.name)  # else it is installed in someone's checkout
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
