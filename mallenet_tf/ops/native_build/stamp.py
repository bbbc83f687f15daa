"""The stamp beside a library: what it was built from and for, as JSON."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path

from .compilers import BASE_FLAGS, CUDA_VARIABLE, cuda_mode, nvcc_to_use, nvcc_version, user_flags
from .installed_tensorflow import TENSORFLOW_DEFINES, TensorFlow
from .sources import cuda_source_files, library_files

LIBRARY_NAME = "libmallenet_ops.so"
STAMP_NAME = "libmallenet_ops.json"

Stamp = dict[str, object]


def make_stamp(tensorflow: TensorFlow, root: Path, compiler: str | None) -> Stamp:
    """Describes a library.

    Args:
        tensorflow: The TensorFlow that it is built against.
        root: The folder that holds `custom_ops/`.
        compiler: The compiler's version line, or None to leave out what compilers decide.
    """
    nvcc = nvcc_to_use(tensorflow)[0] if compiler and cuda_source_files(root) else None
    return {
        "tensorflow": tensorflow.version,
        "machine": platform.machine(),
        "sources": sources_digest(root),
        "compiler": compiler,
        "cuda": nvcc and nvcc_version(nvcc),
        "cuda_kernels": nvcc is not None,
        "flags": [*BASE_FLAGS, *TENSORFLOW_DEFINES, *user_flags()],
    }


def sources_digest(root: Path) -> str:
    """Returns the sha256 of every source and header of the library, names included."""
    digest = hashlib.sha256()
    for file in library_files(root):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def read_stamp(folder: Path) -> Stamp | None:
    """Returns the stamp of a folder's library; None if either is missing or unreadable."""
    if not (folder / LIBRARY_NAME).is_file():
        return None
    try:
        stamp = json.loads((folder / STAMP_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def is_built(folder: Path, wanted: Stamp) -> bool:
    """Says whether a folder holds the library that `wanted` describes.

    A library without CUDA kernels counts if the same compilers failed to build them before.
    """
    stamp = read_stamp(folder)
    if stamp is None or (cuda_mode() == "require" and not stamp.get("cuda_kernels")):
        return False
    return {**stamp, "cuda_kernels": wanted["cuda_kernels"]} == wanted


def mismatch(stamp: Stamp, wanted: Stamp) -> str | None:
    """Says why a library with `stamp` cannot be used here; None if it can.

    Compiler versions and `CXXFLAGS` may differ: they change speed, not meaning.
    """
    if stamp.get("tensorflow") != wanted["tensorflow"]:
        return (
            f"it was built for TensorFlow {stamp.get('tensorflow')}, "
            f"and {wanted['tensorflow']} is installed"
        )
    if stamp.get("machine") != wanted["machine"]:
        return f"it was built for {stamp.get('machine')}, and this is {wanted['machine']}"
    fixed = [*BASE_FLAGS, *TENSORFLOW_DEFINES]
    flags = stamp.get("flags")
    if not isinstance(flags, list) or flags[: len(fixed)] != fixed:
        return "it was built with other compiler flags"
    if stamp.get("sources") != wanted["sources"]:
        return "it was built from other sources"
    if cuda_mode() == "require" and not stamp.get("cuda_kernels"):
        return f"it was built without CUDA kernels, and {CUDA_VARIABLE} is `require`"
    return None
