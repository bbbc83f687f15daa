"""Prints, as JSON, where TensorFlow is installed and how the native op is compiled against it.

    python find.py ROOT

Called by installed_tensorflow.bzl. All of it comes from ROOT/mallenet_tf/ops/build.py, so that both
ways of building use the same flags.
"""

import json
import runpy
import sys
from pathlib import Path


def main() -> None:
    """Prints the description, or exits with a line that says what is missing."""
    build = runpy.run_path(str(Path(sys.argv[1]) / "mallenet_tf" / "ops" / "build.py"))
    try:
        tensorflow = build["find_tensorflow"]()
    except build["BuildError"] as error:
        sys.exit(f"error: {error} for {sys.executable} (PYTHON_BIN_PATH names another)")
    description = {
        "version": tensorflow.version,
        "folder": str(tensorflow.folder),
        "framework": build["FRAMEWORK_LIBRARY"],
        "base_flags": build["BASE_FLAGS"],
        "defines": [flag.removeprefix("-D") for flag in build["TENSORFLOW_DEFINES"]],
    }
    print(json.dumps(description))


if __name__ == "__main__":
    main()
