"""Checks of what users give: a wrong kind would fail late, or pass for something else."""

import numbers
import os
from typing import Any

from mallenet_tf.common.errors import UserError


def is_number(value: Any) -> bool:
    """Whether a value is a real number; True and False are none here."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def has_method(value: Any, name: str) -> bool:
    """Whether a value is an instance, not a class, with a method of that name."""
    return not isinstance(value, type) and callable(getattr(value, name, None))


def check_integers(least: int, **given: Any) -> None:
    """Raises ValueError unless all values are integers, at least `least`; the first is named."""
    for name, value in given.items():
        if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
            raise ValueError(
                f"{name} must be an integer, at least {least}. Received: {name}={value!r}"
            )


def check_limit(limit: Any) -> None:
    """Raises ValueError unless the limit is None or an integer, at least 1."""
    if limit is not None:
        check_integers(1, limit=limit)


def check_patterns(patterns: Any) -> None:
    """Raises ValueError unless it is a path, a glob, or a list of some."""
    several = patterns if isinstance(patterns, list | tuple) else [patterns]
    if not several or not all(isinstance(pattern, str | os.PathLike) for pattern in several):
        raise ValueError(
            f"patterns are a folder, a glob or a file, or a list of some. "
            f"Received: patterns={patterns!r}"
        )


def check_sigmas(sigmas: Any) -> None:
    """Raises ValueError unless it is a list of noise levels, numbers >= 0, at least one."""
    listed = isinstance(sigmas, list | tuple) and len(sigmas) > 0
    if not listed or not all(is_number(sigma) and 0 <= sigma < float("inf") for sigma in sigmas):
        raise ValueError(
            "sigmas is a list of noise levels, numbers >= 0, at least one. "
            f"Received: sigmas={sigmas!r}"
        )


def check_noise(noise: Any) -> None:
    """Raises ValueError unless it is a noise model, not only the class of one."""
    if not has_method(noise, "apply"):
        raise ValueError(
            f"noise is a noise model, in gin @GaussianNoise() with (). Received: noise={noise!r}"
        )


def parse_sigma(text: str) -> float:
    """A noise level from the command line.

    Raises:
        UserError: If it is no number from 0 to 255.
    """
    try:
        sigma = float(text)
    except ValueError:
        sigma = -1.0
    if not 0 <= sigma <= 255:
        raise UserError(f"A noise level is a number from 0 to 255. Received: --sigma={text}")
    return sigma
