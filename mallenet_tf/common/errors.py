"""How a user's mistake is told from a defect, and shown as one line."""

import importlib
import sys
from collections.abc import Callable, Sequence
from types import ModuleType


class UserError(Exception):
    """Something the user gave cannot work; the message says what was received and what to do."""


def optional_module(name: str, package: str, extra: str) -> ModuleType:
    """Imports a module of a package that not every installation has.

    Args:
        name: the module's.
        package: the name it is installed by.
        extra: the extra of this package that it belongs to.

    Raises:
        UserError: if it is not installed; the message has the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"This needs {package}, which is not installed: pip install '{package}', or "
            f"pip install 'mallenet-tf[{extra}]'. Received: {error}"
        ) from error


def run_main(main: Callable[[Sequence[str]], int | None]) -> Callable[[Sequence[str]], None]:
    """Wraps a binary's `main` so that a user's mistake ends as one line and exit status 1.

    `UserError`, `ValueError` and file errors are printed without a traceback; anything else is a
    defect of ours and keeps it.

    Args:
        main: takes the arguments left after flag parsing; returns an exit status or None for 0.
    """

    def wrapped(argv: Sequence[str]) -> None:
        try:
            status = main(argv)
        except (UserError, ValueError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            status = 1
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            status = 130  # as a shell reports a process that SIGINT ended
        sys.exit(status or 0)

    return wrapped
