"""Builds the native library beside the package, where the loader looks first.

    python -m mallenet_tf.ops.build

It also runs by its path, with the standard library alone: `python mallenet_tf/ops/build.py`. `CXX`
names the C++ compiler, `CXXFLAGS` adds flags.

CUDA kernels double the time of a build. `MALLENET_CUDA` decides whether they are part of it:
  auto (the default): if TensorFlow is a CUDA build and there is an nvcc: the one that `NVCC` names,
    one on the PATH, or the one in /usr/local/cuda.
  require: Always; without nvcc the build fails.
  off: Never.
A library with CUDA kernels also works on machines without a GPU or driver.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from mallenet_tf.ops.native_build import commands, compilers, library, sources, stamp
    from mallenet_tf.ops.native_build.installed_tensorflow import find_tensorflow
else:  # Run by its path, which is then the first folder of the search path.
    from native_build import commands, compilers, library, sources, stamp
    from native_build.installed_tensorflow import find_tensorflow


def build(folder: Path, force: bool) -> None:
    """Builds the library in `folder` unless it is up to date, and prints what it did."""
    tensorflow, root = find_tensorflow(), sources.source_root()
    version = compilers.compiler_version(compilers.find_compiler())
    if not force and stamp.is_built(folder, stamp.make_stamp(tensorflow, root, version)):
        print(f"{folder / stamp.LIBRARY_NAME} is up to date")
        return
    print(f"built {library.build(folder, tensorflow, root)}")
    built = stamp.read_stamp(folder)
    if built and built["cuda_kernels"]:
        print("with CUDA kernels")
        return
    nvcc, reason = compilers.nvcc_to_use(tensorflow)
    print(f"without CUDA kernels: {reason or f'{nvcc} failed, see above'}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=commands.BUILD_COMMAND, description="Builds the native library."
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=library.package_folder(),
        metavar="FOLDER",
        help="Where the library goes; beside the package by default.",
    )
    parser.add_argument("--force", action="store_true", help="Build even if it is up to date.")
    options = parser.parse_args(arguments)
    try:
        build(options.output, options.force)
    except (commands.BuildError, OSError, ValueError) as error:
        print(f"error: the native op cannot be built: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
