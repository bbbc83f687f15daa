"""Prints, as JSON, where TensorFlow is installed and how to compile the native ops against it.

    python find.py ROOT

installed_tensorflow.bzl calls it. The answers come from ROOT/mallenet_tf/ops/native_build, so that
both ways of building use the same flags.
"""

import json
import sys
from pathlib import Path

# By this path, because importing mallenet_tf itself would need Keras.
sys.path.insert(0, str(Path(sys.argv[1]) / "mallenet_tf" / "ops"))
from native_build.commands import BuildError  # noqa: E402
from native_build.compilers import BASE_FLAGS  # noqa: E402
from native_build.installed_tensorflow import (  # noqa: E402
    FRAMEWORK_LIBRARY,
    TENSORFLOW_DEFINES,
    find_tensorflow,
)


def main() -> None:
    """Prints the description, or exits with a line that says what is missing."""
    try:
        tensorflow = find_tensorflow()
    except BuildError as error:
        sys.exit(f"error: {error} for {sys.executable} (PYTHON_BIN_PATH names another)")
    description = {
        "version": tensorflow.version,
        "folder": str(tensorflow.folder),
        "framework": FRAMEWORK_LIBRARY,
        "base_flags": BASE_FLAGS,
        "defines": [flag.removeprefix("-D") for flag in TENSORFLOW_DEFINES],
    }
    print(json.dumps(description))


if __name__ == "__main__":
    main()
