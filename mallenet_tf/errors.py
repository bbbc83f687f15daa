"""How a user's mistake is told from a defect, and shown as one line."""

import sys
from collections.abc import Callable, Sequence


class UserError(Exception):
    """Something the user gave cannot work; the message says what was received and what to do."""


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
