"""Whether a run may be resumed with a configuration: one plain comparison.

A configuration is a flat dictionary of what JSON holds, such as {"noise": "GaussianNoise",
"noise.sigma": 25.0}; `experiment.configuration` makes it, and run.json keeps it.
"""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mallenet_tf.common.errors import UserError

# What may change when a run is resumed; everything else must be as it was.
MAY_CHANGE = (
    "optimizer.learning_rate*",  # with its schedule
    "optimizer.weight_decay",
    "optimizer.ema",
    "options.clip_norm",
    "options.steps",
    "options.log_every",
    "options.validate_every",
    "options.save_every",
    "options.profile_steps*",
    "validation*",
    "precision",
    "devices*",
    "sources.*.max_memory",
)


def check_continuation(folder: Path, began: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Compares a configuration with the one that a run began with.

    Entries that only one of them has are not compared. They belong to an object that was replaced,
    whose name is compared, or were not recorded by an earlier version of this package.

    Raises:
        UserError: If they differ in what may not change; the message names the first binding.
    """
    for path in given:
        if path not in began or began[path] == given[path]:
            continue
        if not any(fnmatchcase(path, pattern) for pattern in MAY_CHANGE):
            binding = _binding(path, given)
            raise UserError(
                f"The run in {folder} began with {binding}={_shown(path, began)}; resume it with "
                "that, or use another --model_dir for another run. "
                f"Received: {binding}={_shown(path, given)}"
            )


def stored_configuration(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the configuration of a run.json, of this version or of an earlier one.

    Until November 2026 the key was "settings". It had the batch beside the patch size, and in place
    of a source's name its description, whose words have changed since.
    """
    if "settings" not in record:
        return dict(record.get("configuration", {}))
    moved = {name: f"options.{name}" for name in ("batch_size", "accumulate")}
    return {
        moved.get(path, path): value
        for path, value in record["settings"].items()
        if not re.fullmatch(r"sources\.\d+", path)
    }


def _binding(path: str, configuration: Mapping[str, Any]) -> str:
    """Returns the gin binding of a path: `noise.sigma` is `GaussianNoise.sigma`."""
    owner, _, name = path.rpartition(".")
    while name.isdigit():  # an element of a list
        owner, _, name = owner.rpartition(".")
    return f"{configuration[owner] if owner else 'run_experiment'}.{name}"


def _shown(path: str, configuration: Mapping[str, Any]) -> str:
    """Returns a value as a gin file has it; a list with its elements."""
    elements: list[Any] = []
    while (element := f"{path}.{len(elements)}") in configuration:
        elements.append(configuration[element])
    return repr(elements or configuration[path])
