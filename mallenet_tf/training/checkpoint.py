"""The training state on disk: everything that the next step depends on, in one file.

Keras's BackupAndRestore resumes exactly only at epoch ends; here a state can be saved after any
step. The data needs no state: sample n is a pure function of the seed and n.
"""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.files import atomic_path


class CheckpointError(UserError):
    """A checkpoint that cannot be saved or does not fit the model."""


def _named(model: keras.Model, optimizer: keras.Optimizer) -> dict[str, keras.Variable]:
    groups: tuple[tuple[str, Iterable], ...] = (
        ("model", model.variables),
        ("optimizer", optimizer.variables),
    )
    return {
        f"{group}/{index:04d}/{variable.path}": variable
        for group, variables in groups
        for index, variable in enumerate(variables)
    }


def save_state(path: Path, step: int, model: keras.Model, optimizer: keras.Optimizer) -> None:
    """Writes weights, optimizer (with EMA, schedule and loss scale) and the step.

    Raises:
        CheckpointError: If a value is not finite; the file at `path` is kept.
    """
    arrays: dict[str, Any] = {"step": np.int64(step), **finite_state(step, model, optimizer)}
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays)


def finite_state(
    step: int, model: keras.Model, optimizer: keras.Optimizer
) -> dict[str, np.ndarray]:
    """Returns all variables by name.

    Raises:
        CheckpointError: If a value is not finite.
    """
    arrays = {name: _numpy(variable) for name, variable in _named(model, optimizer).items()}
    broken = [name for name, array in arrays.items() if not np.all(np.isfinite(array))]
    if broken:
        raise CheckpointError(
            f"After step {step}, {len(broken)} variables are not finite, first {broken[0]}; they "
            "were not saved, and the run's folder still holds the last good state."
        )
    return arrays


def restore_state(path: Path, model: keras.Model, optimizer: keras.Optimizer) -> int:
    """Assigns what `save_state` wrote and returns the step.

    Raises:
        CheckpointError: If the file is damaged or was written by another configuration.
    """
    variables = _named(model, optimizer)
    arrays = _read(path)
    step = int(arrays.pop("step", -1))
    _check_fit(path, step, arrays, variables)
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return step


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:
            stored = np.load(file)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise ValueError("not an .npz archive")
            return {name: stored[name] for name in stored.files}
    # What zipfile and NumPy raise for a file with a wrong byte; a RuntimeError comes from a flag
    # that claims encryption or an unknown compression.
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path} is damaged ({error}); remove it to start again from step 0."
        ) from error


def _check_fit(
    path: Path,
    step: int,
    arrays: dict[str, np.ndarray],
    variables: dict[str, keras.Variable],
) -> None:
    unmatched = sorted(set(arrays) ^ set(variables))
    unmatched += [
        name
        for name in sorted(set(arrays) & set(variables))
        if arrays[name].shape != tuple(variables[name].shape)
    ]
    if step < 0 or unmatched:
        raise CheckpointError(
            f"{path} was written by another model or optimizer (first difference: "
            f"{unmatched[0] if unmatched else 'no step'}); use another --model_dir, or the "
            "configuration saved beside it."
        )


def _numpy(variable: keras.Variable) -> np.ndarray:
    return keras.ops.convert_to_numpy(variable)
