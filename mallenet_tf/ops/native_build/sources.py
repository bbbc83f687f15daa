"""Finds the C++ and CUDA sources of the native library."""

from __future__ import annotations

from pathlib import Path

from .commands import BuildError

SOURCE_FOLDER = Path("custom_ops")  # A folder for each op, and common/.
OPS_FOLDER = Path(__file__).resolve().parent.parent


def source_root() -> Path:
    """Returns the folder that holds `custom_ops/`: `ops/` in an installed package, or the clone.

    Raises:
        BuildError: The C++ sources are in neither place.
    """
    for root in (OPS_FOLDER, OPS_FOLDER.parent.parent):
        if (root / SOURCE_FOLDER).is_dir():
            return root
    raise BuildError(f"the C++ sources are missing: no {SOURCE_FOLDER} beside or in the package")


def library_files(root: Path) -> list[Path]:
    """Returns the sources and headers of the library, sorted; tests are not part of it."""
    files = sorted((root / SOURCE_FOLDER).rglob("*"))
    return [f for f in files if f.suffix in (".cc", ".cuh", ".h") and f.parent.name != "tests"]


def source_files(root: Path) -> list[Path]:
    """Returns the files for the C++ compiler, sorted."""
    return [f for f in library_files(root) if f.suffix == ".cc" and not f.name.endswith(".cu.cc")]


def cuda_source_files(root: Path) -> list[Path]:
    """Returns the files for the CUDA compiler, sorted."""
    return [f for f in library_files(root) if f.name.endswith(".cu.cc")]
