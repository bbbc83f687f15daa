"""Runs compilers and reports what goes wrong."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence

BUILD_COMMAND = "python -m mallenet_tf.ops.build"


class BuildError(RuntimeError):
    """The native library cannot be built here; the message says what is missing."""


def run(command: Sequence[str], purpose: str) -> str:
    """Runs a command and returns what it prints to stdout.

    Raises:
        BuildError: The command fails; the message holds the command and its output.
    """
    variables = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, env=variables, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise BuildError(f"{purpose} failed: {error}") from error
    if done.returncode != 0:
        output = done.stderr.strip() or done.stdout.strip()
        raise BuildError(
            f"{purpose} failed with status {done.returncode}:\n{shlex.join(command)}\n{output}"
        )
    return done.stdout
