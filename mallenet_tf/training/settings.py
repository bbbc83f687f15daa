"""What decides about a run's weights, as its folder keeps it; a run goes on with the same alone.

Networks and optimisers are compared by their variables, in `checkpoint`. The learning rate,
clip_norm and the number of steps may change on the way.
"""

import dataclasses
import functools
import inspect
import numbers
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mallenet_tf.common.errors import UserError

# A function's arguments that are bound elsewhere, as gin does.
Bindings = Callable[[Callable], Mapping[str, Any]]
# Attributes of sources that no sample depends on.
_FREE = {"max_memory"}


def flat_settings(given: Mapping[str, Any], bindings: Bindings | None = None) -> dict[str, Any]:
    """What JSON can hold of settings, one entry per number or word, such as "noise.sigma".

    A dataclass gives its name, or what it says in `describe`, and its attributes; a function its
    name and the arguments that have a value; a list its length and elements; any other object its
    name.
    """
    bound = bindings or (lambda function: {})
    flat: dict[str, Any] = {}
    for name, value in given.items():
        what, parts = _described(value, bound)
        flat[name] = what
        flat |= flat_settings({f"{name}.{part}": inner for part, inner in parts.items()}, bound)
    return flat


def _described(value: Any, bindings: Bindings) -> tuple[Any, Mapping[Any, Any]]:
    """What stands for a value, and the parts that it consists of."""
    if value is None or isinstance(value, bool | int | str):
        return value, {}
    if isinstance(value, numbers.Real):  # NumPy's too
        return float(value), {}
    if isinstance(value, os.PathLike):
        return os.fspath(value), {}
    if isinstance(value, list | tuple):
        return len(value), dict(enumerate(value))
    if dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value) if field.name not in _FREE]
        return _name(value), {name: getattr(value, name) for name in fields}
    if callable(value):
        arguments = inspect.signature(value).parameters.values()
        defaults = {each.name: each.default for each in arguments if each.default is not each.empty}
        return _name(value), {**defaults, **bindings(value)}
    return _name(value), {}


def _name(value: Any) -> str:
    if isinstance(value, functools.partial):
        return _name(value.func)
    if hasattr(value, "describe"):
        return value.describe()
    return getattr(value, "__name__", type(value).__name__)


def check_settings(folder: Path, began: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Compares settings with those that a run began with.

    A name that only one of them has is no difference: it is a part of a thing of another name,
    which is one, or of a package that knew no such setting.

    Raises:
        UserError: for the first difference.
    """
    for name in given:
        if name in began and began[name] != given[name]:
            raise UserError(
                f"The run in {folder} began with {name}={began[name]!r}; go on with that, or use "
                f"another --model_dir for another run. Received: {name}={given[name]!r}"
            )
