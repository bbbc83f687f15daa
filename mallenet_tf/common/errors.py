"""Mistakes of the person at the keyboard, told apart from defects and shown as one line."""

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import TypeVar

from mallenet_tf.common.text import printable

T = TypeVar("T")


class UserError(Exception):
    """Something the user gave cannot work; the message says what was received and what to do."""


@contextlib.contextmanager
def user_input() -> Iterator[None]:
    """Turns the `ValueError` and `OSError` of a block into `UserError`, with the same message.

    The library raises Python's own exceptions, since its callers are programs. A command uses this
    around the steps where its user's mistakes show: parsing values, opening the files named, making
    objects from both, writing the outputs named. It does not use it around the work itself, so that
    a `ValueError` there is a defect and keeps its traceback.

    Example:
        >>> with user_input():
        ...     model = load_model(weights)
        ...     denoise = Denoiser(model, tile=tile)
        >>> rows = evaluate_pairs(denoise, pairs)
    """
    try:
        yield
    except (ValueError, OSError) as error:
        raise UserError(_message(error)) from error


@contextlib.contextmanager
def user_output(path: str | os.PathLike) -> Iterator[None]:
    """Turns the `OSError` of a block that writes to `path` into `UserError`.

    Its cause is what the user named: a folder without permission, a full disk. The block may hold
    the work too, whose `ValueError` stays a defect.
    """
    try:
        yield
    except OSError as error:
        raise UserError(
            f"The output cannot be written: {_message(error)}. Received: {path}"
        ) from error


def _message(error: Exception) -> str:
    return str(error) or type(error).__name__


def user_files(items: Iterable[T]) -> Iterator[T]:
    """Yields items that are read lazily from files that the user named; see `user_input`."""
    with user_input():
        yield from items


def optional_module(name: str, package: str, extra: str) -> ModuleType:
    """Imports a module of a package that not every installation has.

    Args:
        name: Name of the module.
        package: Name of the package that installs it.
        extra: Extra of this package that it belongs to.

    Raises:
        UserError: If it is not installed; the message has the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"This needs {package}, which is not installed: pip install '{package}', or "
            f"pip install 'mallenet-tf[{extra}]'. Received: {error}"
        ) from error


def check_flags_only(argv: Sequence[str]) -> None:
    """Raises UserError if a command that takes flags only was given other arguments.

    Args:
        argv: Name of the command, and the arguments left after flag parsing.
    """
    if len(argv) > 1:
        raise UserError(f"This command takes flags only. Received: {' '.join(argv[1:])}")


def run_main(main: Callable[[Sequence[str]], int | None]) -> Callable[[Sequence[str]], None]:
    """Wraps the `main` of a command so that a user's mistake ends as one line and exit status 1.

    Any other error is a defect and keeps its traceback.

    Args:
        main: Takes the arguments left after flag parsing; returns an exit status or None for 0.
    """

    def wrapped(argv: Sequence[str]) -> None:
        try:
            status = main(argv)
        except UserError as error:
            print(printable(f"error: {error}"), file=sys.stderr)
            status = 1
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            status = 130  # as a shell reports a process that SIGINT ended
        sys.exit(status or 0)

    return wrapped
