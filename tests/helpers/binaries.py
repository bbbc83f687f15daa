"""Running the package's binaries as a user would, in a process of their own."""

import subprocess
import sys
from pathlib import Path


def run_binary(module: str, repository: Path, *arguments: object) -> subprocess.CompletedProcess:
    """Runs `python -m mallenet_tf.MODULE` in the repository; its output is text."""
    return subprocess.run(
        [sys.executable, "-m", f"mallenet_tf.{module}", *map(str, arguments)],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=300,
    )
