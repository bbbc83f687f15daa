"""Finds the C++ and the CUDA compiler and the flags for them."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from .commands import BuildError, run
from .installed_tensorflow import TensorFlow

# Not -march=native: the library may run on another machine than the one that built it.
# Not -fvisibility=hidden: inline variables of TensorFlow's headers must be those of TensorFlow.
# NDEBUG as in TensorFlow's own build, because the layout of classes in its headers depends on it.
BASE_FLAGS = ("-O3", "-DNDEBUG", "-fPIC", "-std=c++17")

CUDA_VARIABLE = "MALLENET_CUDA"
CUDA_MODES = ("auto", "require", "off")
# Commands that run the compiler named after them; nvcc needs that compiler itself.
LAUNCHERS = ("ccache", "distcc", "icecc", "sccache")
# Machine code for these compute capabilities, which serves later ones of the same major version
# (8.0 serves 8.6 and 8.9), and PTX of the last one, from which a driver compiles for newer devices.
CUDA_CAPABILITIES = (75, 80, 90)
CUDA_FLAGS = ("-O3", "-DNDEBUG", "-std=c++17", "-Xcompiler", "-fPIC", "--threads", "0", "-x", "cu")


def find_compiler() -> list[str]:
    """Returns the C++ compiler's command: `$CXX`, or the first of g++, c++ and clang++.

    Raises:
        BuildError: There is none.
    """
    wanted = os.environ.get("CXX", "").strip()
    if not wanted:
        for name in ("g++", "c++", "clang++"):
            if shutil.which(name):
                return [name]
        raise BuildError("no C++ compiler was found (install g++, or name one in CXX)")
    command = shlex.split(wanted)
    if shutil.which(command[0]) is None:
        raise BuildError(f"the C++ compiler in CXX was not found. Received: CXX={wanted}")
    return command


def user_flags() -> list[str]:
    """Returns the user's additional compiler flags, `$CXXFLAGS`."""
    return shlex.split(os.environ.get("CXXFLAGS", ""))


def host_compiler(compiler: Sequence[str]) -> str:
    """Returns the compiler without a launcher, for nvcc to compile host code with."""
    names = [word for word in compiler if Path(word).name not in LAUNCHERS]
    return names[0] if names else compiler[0]


def compiler_version(compiler: Sequence[str]) -> str:
    """Returns the first line of `$CXX --version`.

    Raises:
        BuildError: The compiler does not run.
    """
    lines = run([*compiler, "--version"], "asking the C++ compiler for its version").splitlines()
    return lines[0].strip() if lines else "unknown"


def find_nvcc() -> str | None:
    """Returns the command of the CUDA compiler: `$NVCC`, nvcc, or the one in /usr/local/cuda.

    Raises:
        BuildError: `NVCC` names a command that does not exist.
    """
    wanted = os.environ.get("NVCC", "").strip()
    for command in [wanted] if wanted else ["nvcc", "/usr/local/cuda/bin/nvcc"]:
        if shutil.which(command):
            return command
    if wanted:
        raise BuildError(f"the CUDA compiler in NVCC was not found. Received: NVCC={wanted}")
    return None


def nvcc_to_use(tensorflow: TensorFlow) -> tuple[str | None, str]:
    """Decides whether to build the CUDA kernels.

    Returns:
        The command of the CUDA compiler and "", or None and the reason to build no CUDA kernels.

    Raises:
        BuildError: They are required, or `NVCC` is set, and there is no compiler.
        ValueError: The mode in `MALLENET_CUDA` is unknown.
    """
    mode = cuda_mode()
    if mode == "off":
        return None, f"{CUDA_VARIABLE}=off"
    if mode == "auto" and not tensorflow.is_cuda_build:
        return None, "TensorFlow is not a CUDA build"
    nvcc = find_nvcc()
    if nvcc is None and mode == "require":
        raise BuildError(f"{CUDA_VARIABLE}=require, but nvcc was not found")
    return nvcc, "" if nvcc else "nvcc was not found (install the CUDA toolkit, or name it in NVCC)"


def cuda_mode() -> str:
    """Returns the mode in `MALLENET_CUDA`.

    Raises:
        ValueError: The mode is unknown.
    """
    mode = os.environ.get(CUDA_VARIABLE, "").strip().lower() or "auto"
    if mode not in CUDA_MODES:
        raise ValueError(
            f"{CUDA_VARIABLE} must be one of {', '.join(CUDA_MODES)}. "
            f"Received: {CUDA_VARIABLE}={mode}"
        )
    return mode


def nvcc_version(nvcc: str) -> str:
    """Returns the line of `nvcc --version` that names the release.

    Raises:
        BuildError: The compiler does not run.
    """
    printed = run([nvcc, "--version"], "asking nvcc for its version")
    return next((line for line in printed.splitlines() if "release" in line), "unknown").strip()


def cuda_code_flags(nvcc: str) -> list[str]:
    """Returns the flags that name the devices to compile for, limited to those that nvcc knows.

    Raises:
        BuildError: The compiler does not run, or knows none of them.
    """
    known = run([nvcc, "--list-gpu-arch"], "asking nvcc for its devices").split()
    chosen = [number for number in CUDA_CAPABILITIES if f"compute_{number}" in known]
    if not chosen:
        raise BuildError(f"nvcc knows none of the compute capabilities {CUDA_CAPABILITIES}")
    codes = [(number, f"sm_{number}") for number in chosen]
    codes.append((chosen[-1], f"compute_{chosen[-1]}"))
    return [f"-gencode=arch=compute_{number},code={code}" for number, code in codes]
