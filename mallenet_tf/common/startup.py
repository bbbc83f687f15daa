"""Starting Keras and TensorFlow without the lines that TensorFlow prints about absent GPUs."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What every start prints on a machine without an NVIDIA driver. Informational lines of a later time
# are left out by TF_CPP_MIN_LOG_LEVEL; these come before TensorFlow reads it, or count as errors.
_EXPECTED = re.compile(
    r"All log messages before absl::InitializeLog\(\)"
    r"|cudart_stub\.cc.*Could not find cuda drivers"
    r"|failed call to cuInit"
)
_NVIDIA_DRIVER = Path("/proc/driver/nvidia")


def start_keras() -> None:
    """Imports Keras and its backend, and keeps TensorFlow's start-up lines from the terminal.

    Every command calls it once, after its flags are checked. Other lines are printed as soon as
    TensorFlow has started; where an NVIDIA driver is installed, all lines are.
    `TF_CPP_MIN_LOG_LEVEL=0` in the environment shows TensorFlow's own messages again.
    """
    shows_everything = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1") == "0"
    if shows_everything or _NVIDIA_DRIVER.exists():
        import keras  # noqa: F401

        return
    with _without_expected_lines():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for a GPU, and complains that there is none


@contextmanager
def _without_expected_lines() -> Iterator[None]:
    """Holds back what libraries write to stderr, then prints it without the expected lines."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            for line in held.read().decode(errors="replace").splitlines(keepends=True):
                if not _EXPECTED.search(line):
                    sys.stderr.write(line)
