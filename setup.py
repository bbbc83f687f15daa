"""Adds the gin files, the sources of the native ops and, where it can be built, their library.

Everything else is in pyproject.toml. A wheel with a library is tagged for the platform. A wheel
without is not; the ops are then compiled on first use, from the sources in the wheel.
"""

from __future__ import annotations

import logging
import shutil
import site
import sys
import sysconfig
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent

# By this path, because importing the package itself would need Keras.
sys.path.insert(0, str(ROOT / "mallenet_tf" / "ops"))
from native_build.commands import BuildError  # noqa: E402
from native_build.compilers import nvcc_to_use  # noqa: E402
from native_build.installed_tensorflow import find_tensorflow  # noqa: E402
from native_build.library import build  # noqa: E402
from native_build.sources import SOURCE_FOLDER  # noqa: E402


def target_folders() -> list[str]:
    """Returns the folders of the environment's packages, also under pip's build isolation."""
    own = [sysconfig.get_path("platlib"), sysconfig.get_path("purelib")]
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return list(dict.fromkeys([*sys.path, *own, *site.getsitepackages(), *user]))


class BuildWithNativeOp(build_py):
    """Copies the ops' sources into the package and compiles them if TensorFlow is installed."""

    def run(self) -> None:
        """Builds the package; editable installs use the clone's own files."""
        if self.editable_mode:
            super().run()
            return
        package = Path(self.build_lib) / "mallenet_tf"
        if package.exists():
            shutil.rmtree(package)  # Modules and libraries of an earlier build must not be packed.
        super().run()
        shutil.copytree(ROOT / "gin_configs", package / "gin_configs")
        ops = package / "ops"
        shutil.copytree(ROOT / SOURCE_FOLDER, ops / SOURCE_FOLDER)
        try:
            tensorflow = find_tensorflow(target_folders())
            build(ops / "_native", tensorflow, ops)
            reason = nvcc_to_use(tensorflow)[1]
            if reason:
                self.announce(f"mallenet-tf: without CUDA kernels: {reason}", level=logging.WARNING)
        except BuildError as error:
            reason = str(error).splitlines()[0]
            self.announce(
                f"mallenet-tf: the native op is not part of this build: {reason}. "
                "It is compiled on first use where a C++ compiler and TensorFlow are installed; "
                "without them the slower reference implementation is used.",
                level=logging.WARNING,
            )

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Lists the files of the package, including those that `run` adds."""
        outputs = super().get_outputs(include_bytecode)
        package = Path(self.build_lib) / "mallenet_tf"
        folders = ("ops/_native/*", "ops/custom_ops/**/*", "gin_configs/**/*")
        added = [file for folder in folders for file in package.glob(folder)]
        return [*outputs, *(str(file) for file in added if file.is_file())]


class WheelForItsContent(bdist_wheel):
    """Tags the wheel for the platform if and only if it holds the compiled library."""

    def get_tag(self) -> tuple[str, str, str]:
        """Returns the tag: for any Python, because the library does not use Python's ABI."""
        native = Path(self.bdist_dir) / "mallenet_tf" / "ops" / "_native"
        if not native.is_dir():
            return ("py3", "none", "any")
        return ("py3", "none", sysconfig.get_platform().replace("-", "_").replace(".", "_"))


setup(cmdclass={"build_py": BuildWithNativeOp, "bdist_wheel": WheelForItsContent})
