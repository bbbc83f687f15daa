"""Finds the installed TensorFlow and the flags to compile against it."""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .commands import BuildError

# The defines in tf.sysconfig.get_compile_flags() of the supported TensorFlow versions. A test keeps
# the two equal; asking TensorFlow itself would add seconds to every start.
TENSORFLOW_DEFINES = ("-D_GLIBCXX_USE_CXX11_ABI=1", "-DEIGEN_MAX_ALIGN_BYTES=64")
FRAMEWORK_LIBRARY = "libtensorflow_framework.so.2"


@dataclass(frozen=True)
class TensorFlow:
    """An installed TensorFlow: its version and the folder of its package."""

    version: str
    folder: Path

    @property
    def is_cuda_build(self) -> bool:
        """Whether it can use NVIDIA GPUs."""
        file = self.folder / "python" / "platform" / "build_info.py"
        return file.is_file() and "('is_cuda_build', True)" in file.read_text(encoding="utf-8")

    @property
    def compile_flags(self) -> list[str]:
        """Compiler flags; the headers are system headers, which do not warn."""
        return ["-isystem", str(self.folder / "include"), *TENSORFLOW_DEFINES]

    @property
    def link_flags(self) -> list[str]:
        """Linker flags."""
        return [f"-L{self.folder}", f"-l:{FRAMEWORK_LIBRARY}"]


def find_tensorflow(search_path: Sequence[str] | None = None) -> TensorFlow:
    """Finds an installed TensorFlow without importing it.

    Args:
        search_path: Folders to search instead of `sys.path`.

    Raises:
        BuildError: TensorFlow is not installed.
    """
    folders = list(sys.path if search_path is None else search_path)
    spec = importlib.machinery.PathFinder.find_spec("tensorflow", folders)
    if spec is None or not spec.origin:
        raise BuildError("TensorFlow is not installed")
    folder = Path(spec.origin).parent
    # The headers do not define the version; the distribution in the same folder has it.
    for name in ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu"):
        for found in importlib.metadata.distributions(name=name, path=[str(folder.parent)]):
            return TensorFlow(found.version, folder)
    raise BuildError(f"the version of the TensorFlow in {folder} is unknown (no package metadata)")
