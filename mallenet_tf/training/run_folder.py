"""The folder of a run.

state.npz     everything the next step depends on, for resuming
last.keras    the model with the averaged weights, at the last validation or stop
best.keras    the same, at the best validation
config.gin    the operative configuration, if there is one
run.json      best validation, configuration, and one entry per start: command, versions, git
              state, steps
events.*      TensorBoard scalars and images
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
from absl import logging

from mallenet_tf.common.files import atomic_path
from mallenet_tf.training.checkpoint import restore_state, save_state
from mallenet_tf.training.continuation import check_continuation, stored_configuration
from mallenet_tf.training.ema import averaged_weights

PACKAGES = ("tensorflow", "jax", "keras", "numpy", "gin-config", "tensorflow-datasets")


class RunFolder:
    """Restores and saves a run, and keeps its history in `run.json`.

    Args:
        path: Folder of the run.
        configuration: What the run is configured with; see `continuation`.
        config_text: Returns what `config.gin` shall hold. It is asked whenever the history is
            saved, since gin knows the operative configuration only after the first step.
    """

    def __init__(
        self,
        path: Path,
        configuration: Mapping[str, Any],
        config_text: Callable[[], str] | None = None,
    ):
        self.path = path
        self.best: float | None = None
        self.configuration = dict(configuration)
        self._config_text = config_text
        self._starts: list[dict[str, Any]] = []
        self._record = path / "run.json"

    def restore(self, model: keras.Model, optimizer: keras.Optimizer, replicas: int = 1) -> int:
        """Restores the state, if there is one, and returns its step, else 0.

        Raises:
            UserError: If the run began with another configuration.
            CheckpointError: If the state is damaged, or that of another model.
        """
        stored = json.loads(self._record.read_text()) if self._record.exists() else {}
        state, step = self.path / "state.npz", 0
        if state.exists():
            began = stored_configuration(stored)
            check_continuation(self.path, began, self.configuration)
            self.configuration = {**began, **self.configuration}
            step = restore_state(state, model, optimizer)
            best = stored.get("best_psnr")
            self.best = best if best is not None and math.isfinite(best) else None
            logging.info("Resuming %s from step %d.", self.path, step)
        self._starts = [*stored.get("starts", []), _start(step, replicas)]
        return step

    def save_state(self, step: int, model: keras.Model, optimizer: keras.Optimizer) -> None:
        """Writes the state and the history.

        Raises:
            CheckpointError: If a value is not finite; the old state is kept.
        """
        save_state(self.path / "state.npz", step, model, optimizer)
        self.save_record(step)

    def save_last(self, model: keras.Model, optimizer: keras.Optimizer) -> None:
        """Writes `last.keras`."""
        with averaged_weights(model, optimizer):
            _save_model(self.path / "last.keras", model)

    def save_validated(self, step: int, model: keras.Model, psnr: float) -> None:
        """Writes `last.keras`, and `best.keras` if `psnr` is the best; `model` has the averages."""
        _save_model(self.path / "last.keras", model)
        if self.best is None or psnr > self.best:
            self.best = psnr
            _save_model(self.path / "best.keras", model)
            self.save_record(step)

    def save_record(self, step: int) -> None:
        """Writes the history and the operative configuration."""
        self._starts[-1] |= {"last_step": step, "last_saved": _now()}
        record = {
            "step": step,
            "best_psnr": self.best,
            "configuration": self.configuration,
            "starts": self._starts,
        }
        _write_text(self._record, json.dumps(record, indent=2) + "\n")
        if self._config_text is not None:
            _write_text(self.path / "config.gin", self._config_text())


def _save_model(path: Path, model: keras.Model) -> None:
    with atomic_path(path) as temporary:
        model.save(temporary)


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text)


def _start(step: int, replicas: int) -> dict[str, Any]:
    """Returns what the history says about this start."""
    return {
        "command": [sys.executable, *sys.orig_argv[1:]],
        "started": _now(),
        "first_step": step,
        "replicas": replicas,
        "machine": f"{platform.machine()}, {platform.processor() or platform.system()}",
        "python": platform.python_version(),
        "backend": keras.backend.backend(),
        "versions": _versions(),
        "git": _git_state(),
    }


def _versions() -> dict[str, str]:
    """Returns the versions of the packages that are installed."""
    installed = {}
    for name in PACKAGES:
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # no JAX here, or no TensorFlow
            continue
    return installed


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _git_state() -> dict[str, object] | None:
    """Returns commit and whether files differ from it; None outside a git checkout of ours."""
    file = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(file.parent), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", file.name)  # else it is installed in someone's checkout
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
