"""The plain dictionary of what an experiment is made of, which `run.json` keeps.

One entry per number or word: {"noise": "GaussianNoise", "noise.sigma": 25.0}. An object is its
name, followed by what it is made of. `training.continuation` compares two of these dictionaries.
"""

import dataclasses
import functools
import inspect
import numbers
import os
from collections.abc import Callable, Mapping
from typing import Any

import gin

from mallenet_tf.common.checks import has_method


def plain_configuration(parts: Mapping[Any, Any]) -> dict[str, Any]:
    """Flattens the parts of an experiment into a dictionary that JSON can hold.

    A dataclass becomes its name, its attributes and the text of its `describe`; a function its
    name, its defaults and what gin binds to it; an object with a `get_config` its name and that; a
    list or a dictionary its length and elements; any other object its name.
    """
    flat: dict[str, Any] = {}
    for name, value in parts.items():
        flat[str(name)], inner = _described(value)
        nested = plain_configuration(inner)
        flat |= {f"{name}.{path}": inner_value for path, inner_value in nested.items()}
    return flat


def _described(value: Any) -> tuple[Any, Mapping[Any, Any]]:
    """Returns what stands for a value, and the parts that it is made of."""
    if value is None or isinstance(value, bool | int | str):
        return value, {}
    if isinstance(value, numbers.Real):  # NumPy's too
        return float(value), {}
    if isinstance(value, os.PathLike):
        return os.fspath(value), {}
    if isinstance(value, list | tuple):
        return len(value), dict(enumerate(value))
    if isinstance(value, Mapping):
        return len(value), value
    if dataclasses.is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _name(value), parts | _content(value)
    if has_method(value, "get_config"):
        return _name(value), value.get_config()
    if callable(value):
        arguments = inspect.signature(value).parameters.values()
        defaults = {each.name: each.default for each in arguments if each.default is not each.empty}
        return _name(value), {**defaults, **_bound_by_gin(value)}
    return _name(value), {}


def _content(value: Any) -> dict[str, str]:
    """Returns what a source holds: photographs come and go while its attributes stay."""
    return {"content": value.describe()} if hasattr(value, "describe") else {}


def _name(value: Any) -> str:
    if isinstance(value, functools.partial):
        return _name(value.func)
    return getattr(value, "__name__", type(value).__name__)


def _bound_by_gin(function: Callable) -> Mapping[str, Any]:
    """Returns what gin binds to arguments; for `@scope/function`, what is bound outside it."""
    try:
        return gin.get_bindings(inspect.unwrap(function))
    except ValueError:  # not one of gin's configurables
        return {}
