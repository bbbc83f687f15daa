"""Running the package's commands from a program, as a user would."""

import subprocess
from collections.abc import Sequence


def run_to_the_end(command: Sequence[str]) -> int:
    """Runs a command, shows its output, and returns its exit status.

    On Ctrl-C the command receives the signal too and saves its state. This function waits for it;
    `subprocess.run` would kill it after 0.25 seconds.
    """
    process = subprocess.Popen(command)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise
