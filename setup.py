"""Adds the gin files and the native op: its sources always, its library where it can be built.

Everything else is in pyproject.toml. A wheel that holds a library is tagged for the platform; one
without is not, and the op is then compiled on first use, from the sources in the wheel.
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
import site
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


def load_builder() -> ModuleType:
    """Imports mallenet_tf/ops/build.py by its path: the package itself needs Keras."""
    path = ROOT / "mallenet_tf" / "ops" / "build.py"
    spec = importlib.util.spec_from_file_location("mallenet_native_build", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def target_folders() -> list[str]:
    """Returns where the environment keeps its packages, even under pip's build isolation."""
    own = [sysconfig.get_path("platlib"), sysconfig.get_path("purelib")]
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return list(dict.fromkeys([*sys.path, *own, *site.getsitepackages(), *user]))


class BuildWithNativeOp(build_py):
    """Copies the op's sources into the package, and compiles them if TensorFlow is there."""

    def run(self) -> None:
        """Builds the package; editable installs use the clone's own files."""
        if self.editable_mode:
            super().run()
            return
        package = Path(self.build_lib) / "mallenet_tf"
        if package.exists():
            shutil.rmtree(package)  # an earlier build's modules and library must not be packed
        super().run()
        shutil.copytree(ROOT / "gin_configs", package / "gin_configs")
        builder = load_builder()
        ops = package / "ops"
        shutil.copytree(ROOT / builder.SOURCE_FOLDER, ops / builder.SOURCE_FOLDER)
        try:
            tensorflow = builder.find_tensorflow(target_folders())
            builder.build(ops / "_native", tensorflow, ops)
            reason = builder.nvcc_to_use(tensorflow)[1]
            if reason:
                self.announce(f"mallenet-tf: without CUDA kernels: {reason}", level=logging.WARNING)
        except builder.BuildError as error:
            reason = str(error).splitlines()[0]
            self.announce(
                f"mallenet-tf: the native op is not part of this build: {reason}. "
                "It is compiled on first use where a C++ compiler and TensorFlow are installed; "
                "without them the slower reference implementation is used.",
                level=logging.WARNING,
            )

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Lists the files of the package, the added ones included."""
        outputs = super().get_outputs(include_bytecode)
        package = Path(self.build_lib) / "mallenet_tf"
        folders = ("ops/_native/*", "ops/custom_ops/**/*", "gin_configs/**/*")
        added = [file for folder in folders for file in package.glob(folder)]
        return [*outputs, *(str(file) for file in added if file.is_file())]


class WheelForItsContent(bdist_wheel):
    """Tags the wheel for the platform if, and only if, it holds the compiled library."""

    def get_tag(self) -> tuple[str, str, str]:
        """Returns the tag; any Python will do, because the library does not use Python's ABI."""
        native = Path(self.bdist_dir) / "mallenet_tf" / "ops" / "_native"
        if not native.is_dir():
            return ("py3", "none", "any")
        return ("py3", "none", sysconfig.get_platform().replace("-", "_").replace(".", "_"))


setup(cmdclass={"build_py": BuildWithNativeOp, "bdist_wheel": WheelForItsContent})
