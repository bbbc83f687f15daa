"""Compiles and links the native library."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import compilers, sources
from .commands import BuildError, run
from .installed_tensorflow import TensorFlow, find_tensorflow
from .stamp import LIBRARY_NAME, STAMP_NAME, make_stamp

_logger = logging.getLogger("mallenet_tf")


def package_folder() -> Path:
    """Returns the folder for the library of this copy of the package."""
    return sources.OPS_FOLDER / "_native"


def build(folder: Path, tensorflow: TensorFlow | None = None, root: Path | None = None) -> Path:
    """Compiles the native ops into one library in `folder`, with its stamp beside it.

    Args:
        folder: Where the library goes; created if missing. Files are replaced atomically; a process
            that has the old library open keeps it.
        tensorflow: The TensorFlow to build against; the installed one by default.
        root: The folder that holds `custom_ops/`; that of this copy of the package by default.

    Returns:
        The library's path.

    Raises:
        BuildError: Something is missing, or the compiler fails; the message holds its output.
        OSError: `folder` cannot be written.
    """
    if sys.platform != "linux":
        raise BuildError(f"the native ops are built on Linux only. Received: {sys.platform}")
    tensorflow = tensorflow or find_tensorflow()
    root = root or sources.source_root()
    if not sources.source_files(root):
        raise BuildError(f"no C++ source in {root / sources.SOURCE_FOLDER}")
    compiler = compilers.find_compiler()
    stamp = make_stamp(tensorflow, root, compilers.compiler_version(compiler))

    folder.mkdir(parents=True, exist_ok=True)
    # A folder inside the target: renaming then never crosses a file system.
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder) as scratch_name:
        scratch = Path(scratch_name)
        library = scratch / LIBRARY_NAME
        nvcc = compilers.nvcc_to_use(tensorflow)[0] if stamp["cuda"] else None
        try:
            _make(library, compiler, nvcc, tensorflow, root)
        except BuildError as error:
            if nvcc is None or compilers.cuda_mode() == "require":
                raise
            _logger.warning("the native op is built without CUDA kernels, because %s", error)
            stamp["cuda_kernels"] = False
            _make(library, compiler, None, tensorflow, root)
        stamp_file = scratch / STAMP_NAME
        stamp_file.write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
        # A library without a stamp is not used, so no stamp ever describes another library.
        (folder / STAMP_NAME).unlink(missing_ok=True)
        os.replace(library, folder / LIBRARY_NAME)
        os.replace(stamp_file, folder / STAMP_NAME)
    return folder / LIBRARY_NAME


def _make(
    library: Path, compiler: Sequence[str], nvcc: str | None, tensorflow: TensorFlow, root: Path
) -> None:
    """Compiles and links a library, with CUDA kernels if there is an `nvcc`."""
    objects = _compile(compiler, nvcc, tensorflow, root, library.parent)
    # nvcc links its runtime library statically: TensorFlow's may be another version.
    linker = list(compiler)
    if nvcc:
        linker = [nvcc, "-ccbin", compilers.host_compiler(compiler), "-cudart", "static"]
    command = [*linker, "-shared", "-o", str(library), *objects, *tensorflow.link_flags]
    run(command, f"linking {LIBRARY_NAME}")


def _compile(
    compiler: Sequence[str], nvcc: str | None, tensorflow: TensorFlow, root: Path, scratch: Path
) -> list[str]:
    """Compiles each source to an object file, several at a time; returns the objects' paths."""
    flags = [*compilers.BASE_FLAGS, *tensorflow.compile_flags, *compilers.user_flags()]
    commands: dict[Path, list[str]] = {}
    if nvcc:
        flags.append("-DMALLENET_CUDA")
        host = ["-ccbin", compilers.host_compiler(compiler)]
        cuda = [nvcc, *host, *compilers.CUDA_FLAGS, *compilers.cuda_code_flags(nvcc)]
        commands.update((source, cuda) for source in sources.cuda_source_files(root))
    commands.update((source, [*compiler, *flags]) for source in sources.source_files(root))

    def compile_one(item: tuple[Path, list[str]]) -> str:
        source, command = item
        name = source.relative_to(root / sources.SOURCE_FOLDER)
        target = str(scratch / "_".join(name.with_suffix(".o").parts))
        run([*command, "-I", str(root), "-c", str(source), "-o", target], f"compiling {name}")
        return target

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return list(pool.map(compile_one, commands.items()))
