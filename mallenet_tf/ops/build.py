"""Compiles the native ops against the TensorFlow that is installed.

The module stands alone: it needs the standard library only and never imports TensorFlow, so that
the package's setup script can run it by path, before anything of the package is installed.

From a shell, `python -m mallenet_tf.ops.build` builds the library beside the package, where the
loader (`mallenet_tf.ops.loader`) looks first. `CXX` names the compiler, `CXXFLAGS` adds flags.

CUDA kernels, which double the time that the build takes, are part of the library if `MALLENET_CUDA`
is
  auto (the default): where TensorFlow is a CUDA build and nvcc is found, which is the one that
    `NVCC` names, one on the PATH, or that in /usr/local/cuda;
  require: everywhere, and without nvcc there is an error;
  off: nowhere.
A library with CUDA kernels works on machines without a GPU or driver as well.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.machinery
import importlib.metadata
import json
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

BUILD_COMMAND = "python -m mallenet_tf.ops.build"
LIBRARY_NAME = "libmalleable_slice.so"
STAMP_NAME = "libmalleable_slice.json"
SOURCE_FOLDER = Path("custom_ops")  # with a folder for each op

# Not -march=native: the library may be used on another machine than the one that built it.
# Not -fvisibility=hidden: inline variables of TensorFlow's headers must be one with TensorFlow's.
# NDEBUG as in TensorFlow's own build, because headers of both sides share their layouts.
BASE_FLAGS = ("-O3", "-DNDEBUG", "-fPIC", "-std=c++17")
# What tf.sysconfig.get_compile_flags() says for the supported TensorFlow versions. A test keeps
# the two equal; asking TensorFlow itself would cost seconds at every start.
TENSORFLOW_DEFINES = ("-D_GLIBCXX_USE_CXX11_ABI=1", "-DEIGEN_MAX_ALIGN_BYTES=64")
FRAMEWORK_LIBRARY = "libtensorflow_framework.so.2"

CUDA_VARIABLE = "MALLENET_CUDA"
CUDA_MODES = ("auto", "require", "off")
# Commands that run the compiler named behind them; nvcc wants that compiler itself.
LAUNCHERS = ("ccache", "distcc", "icecc", "sccache")
# Machine code for these compute capabilities, which serves later ones of the same major version
# (8.0 serves 8.6 and 8.9), and PTX of the last one, from which a driver compiles for newer devices.
CUDA_CAPABILITIES = (75, 80, 90)
CUDA_FLAGS = ("-O3", "-DNDEBUG", "-std=c++17", "-Xcompiler", "-fPIC", "--threads", "0", "-x", "cu")


_logger = logging.getLogger("mallenet_tf")


class BuildError(RuntimeError):
    """The native library cannot be built here; the message says what is missing."""


@dataclass(frozen=True)
class TensorFlow:
    """An installed TensorFlow: its version and the folder of its package."""

    version: str
    folder: Path

    @property
    def is_cuda_build(self) -> bool:
        """Whether it can use NVIDIA GPUs where there are any."""
        file = self.folder / "python" / "platform" / "build_info.py"
        return file.is_file() and "('is_cuda_build', True)" in file.read_text(encoding="utf-8")


def find_tensorflow(search_path: Sequence[str] | None = None) -> TensorFlow:
    """Finds an installed TensorFlow without importing it.

    Args:
      search_path: folders to search instead of `sys.path`.

    Raises:
      BuildError: TensorFlow is not there.
    """
    folders = list(sys.path if search_path is None else search_path)
    spec = importlib.machinery.PathFinder.find_spec("tensorflow", folders)
    if spec is None or not spec.origin:
        raise BuildError("TensorFlow is not installed")
    folder = Path(spec.origin).parent
    # The version comes from the distribution that lies in the same folder: the headers no longer
    # define it.
    for name in ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu"):
        for found in importlib.metadata.distributions(name=name, path=[str(folder.parent)]):
            return TensorFlow(found.version, folder)
    raise BuildError(f"the version of the TensorFlow in {folder} is unknown (no package metadata)")


def find_compiler() -> list[str]:
    """Returns the C++ compiler's command: `$CXX`, or the first of g++, c++ and clang++.

    Raises:
      BuildError: there is none.
    """
    wanted = os.environ.get("CXX", "").strip()
    if not wanted:
        for name in ("g++", "c++", "clang++"):
            if shutil.which(name):
                return [name]
        raise BuildError("no C++ compiler was found (install g++, or name one in CXX)")
    command = shlex.split(wanted)
    if shutil.which(command[0]) is None:
        raise BuildError(f"the C++ compiler that CXX names was not found. Received: CXX={wanted}")
    return command


def host_compiler(compiler: Sequence[str]) -> str:
    """Returns what nvcc is to compile the host's part with: the compiler without a launcher."""
    names = [word for word in compiler if Path(word).name not in LAUNCHERS]
    return names[0] if names else compiler[0]


def compiler_version(compiler: Sequence[str]) -> str:
    """Returns the first line of `$CXX --version`.

    Raises:
      BuildError: the compiler does not run.
    """
    lines = _run([*compiler, "--version"], "asking the C++ compiler for its version").splitlines()
    return lines[0].strip() if lines else "unknown"


def find_nvcc() -> str | None:
    """Returns the command of the CUDA compiler, None if there is none.

    Raises:
      BuildError: `NVCC` names one that is not there.
    """
    wanted = os.environ.get("NVCC", "").strip()
    for command in [wanted] if wanted else ["nvcc", "/usr/local/cuda/bin/nvcc"]:
        if shutil.which(command):
            return command
    if wanted:
        raise BuildError(f"the CUDA compiler in NVCC was not found. Received: NVCC={wanted}")
    return None


def nvcc_to_use(tensorflow: TensorFlow) -> tuple[str | None, str]:
    """Decides whether CUDA kernels are built.

    Returns:
      the command of the CUDA compiler and "", or None and why there are to be no CUDA kernels.

    Raises:
      BuildError: they are required, or `NVCC` is set, and there is no compiler.
      ValueError: the mode in `MALLENET_CUDA` is unknown.
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
    """Returns the mode that `MALLENET_CUDA` sets.

    Raises:
      ValueError: the mode is unknown.
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
      BuildError: the compiler does not run.
    """
    printed = _run([nvcc, "--version"], "asking nvcc for its version")
    return next((line for line in printed.splitlines() if "release" in line), "unknown").strip()


def cuda_code_flags(nvcc: str) -> list[str]:
    """Returns the flags that name the devices to compile for, those that this nvcc knows.

    Raises:
      BuildError: the compiler does not run, or knows none of them.
    """
    known = _run([nvcc, "--list-gpu-arch"], "asking nvcc for its devices").split()
    chosen = [number for number in CUDA_CAPABILITIES if f"compute_{number}" in known]
    if not chosen:
        raise BuildError(f"nvcc knows none of the compute capabilities {CUDA_CAPABILITIES}")
    codes = [(number, f"sm_{number}") for number in chosen]
    codes.append((chosen[-1], f"compute_{chosen[-1]}"))
    return [f"-gencode=arch=compute_{number},code={code}" for number, code in codes]


def source_root() -> Path:
    """Returns the folder that holds `custom_ops/`: inside an installed package, or the clone.

    Raises:
      BuildError: the C++ sources are in neither place.
    """
    here = Path(__file__).resolve().parent
    for root in (here, here.parent.parent):
        if (root / SOURCE_FOLDER).is_dir():
            return root
    raise BuildError(f"the C++ sources are missing: no {SOURCE_FOLDER} beside or in the package")


def source_files(root: Path) -> list[Path]:
    """Returns the files to compile, sorted; CUDA sources (`.cu.cc`) are not among them."""
    files = sorted((root / SOURCE_FOLDER).glob("*/*.cc"))
    return [file for file in files if not file.name.endswith(".cu.cc")]


def cuda_source_files(root: Path) -> list[Path]:
    """Returns the files for the CUDA compiler, sorted."""
    return sorted((root / SOURCE_FOLDER).glob("*/*.cu.cc"))


def sources_digest(root: Path) -> str:
    """Returns the sha256 of every source and header the library is made of, names included."""
    digest = hashlib.sha256()
    for file in sorted((root / SOURCE_FOLDER).glob("*/*")):
        if file.suffix not in (".cc", ".cuh", ".h"):
            continue
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def compile_flags(tensorflow: TensorFlow) -> list[str]:
    """Returns TensorFlow's compiler flags; its headers as system headers, which do not warn."""
    return ["-isystem", str(tensorflow.folder / "include"), *TENSORFLOW_DEFINES]


def link_flags(tensorflow: TensorFlow) -> list[str]:
    """Returns TensorFlow's linker flags."""
    return [f"-L{tensorflow.folder}", f"-l:{FRAMEWORK_LIBRARY}"]


def user_flags() -> list[str]:
    """Returns the user's additional compiler flags, `$CXXFLAGS`."""
    return shlex.split(os.environ.get("CXXFLAGS", ""))


def make_stamp(tensorflow: TensorFlow, root: Path, compiler: str | None) -> dict[str, object]:
    """Describes a library: what it is, or would be, built from and for.

    Args:
      tensorflow: what it is built against.
      root: the folder that holds `custom_ops/`.
      compiler: the compiler's version line, None where compilers do not matter.
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


def read_stamp(folder: Path) -> dict[str, object] | None:
    """Returns the stamp beside a library, None if library or stamp are missing or unreadable."""
    if not (folder / LIBRARY_NAME).is_file():
        return None
    try:
        stamp = json.loads((folder / STAMP_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def is_built(folder: Path, wanted: dict[str, object]) -> bool:
    """Whether a folder holds the library that `wanted` describes.

    Where the CUDA kernels did not compile with the same compilers before, one without them.
    """
    stamp = read_stamp(folder)
    if stamp is None or (cuda_mode() == "require" and not stamp.get("cuda_kernels")):
        return False
    return {**stamp, "cuda_kernels": wanted["cuda_kernels"]} == wanted


def mismatch(stamp: dict[str, object], wanted: dict[str, object]) -> str | None:
    """Says why a library with `stamp` cannot be used here; None if it can.

    The compilers' versions and `CXXFLAGS` may differ: they change the speed, not the meaning.
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


def package_folder() -> Path:
    """Returns the folder of the library that belongs to this copy of the package."""
    return Path(__file__).resolve().parent / "_native"


def build(folder: Path, tensorflow: TensorFlow | None = None, root: Path | None = None) -> Path:
    """Compiles the native ops into `folder/libmalleable_slice.so`, with its stamp beside it.

    Args:
      folder: where the library goes; created if need be. Files are replaced atomically, and a
        process that has the old library open keeps it.
      tensorflow: what to build against; the installed one by default.
      root: the folder that holds `custom_ops/`; the one of this copy of the package by default.

    Returns:
      The library's path.

    Raises:
      BuildError: something is missing, or the compiler fails; the message holds its output.
      OSError: `folder` cannot be written.
    """
    if sys.platform != "linux":
        raise BuildError(f"the native ops are built on Linux only. Received: {sys.platform}")
    tensorflow = tensorflow or find_tensorflow()
    root = root or source_root()
    sources = source_files(root)
    if not sources:
        raise BuildError(f"no C++ source in {root / SOURCE_FOLDER}")
    compiler = find_compiler()
    stamp = make_stamp(tensorflow, root, compiler_version(compiler))

    folder.mkdir(parents=True, exist_ok=True)
    # A folder of its own in the target's: renaming then never crosses a file system.
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder) as scratch_name:
        scratch = Path(scratch_name)
        library = scratch / LIBRARY_NAME
        nvcc = nvcc_to_use(tensorflow)[0] if stamp["cuda"] else None
        try:
            _make(library, compiler, nvcc, tensorflow, root, sources)
        except BuildError as error:
            if nvcc is None or cuda_mode() == "require":
                raise
            _logger.warning("the native op is built without CUDA kernels, because %s", error)
            stamp["cuda_kernels"] = False
            _make(library, compiler, None, tensorflow, root, sources)
        stamp_file = scratch / STAMP_NAME
        stamp_file.write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
        # Without its stamp a library is not used, so no stamp ever describes another library.
        (folder / STAMP_NAME).unlink(missing_ok=True)
        os.replace(library, folder / LIBRARY_NAME)
        os.replace(stamp_file, folder / STAMP_NAME)
    return folder / LIBRARY_NAME


def _make(
    library: Path,
    compiler: list[str],
    nvcc: str | None,
    tensorflow: TensorFlow,
    root: Path,
    sources: list[Path],
) -> None:
    """Compiles and links a library, with CUDA kernels if there is an `nvcc`."""
    objects = _compile(compiler, nvcc, tensorflow, root, sources, library.parent)
    # nvcc knows its run-time library, which goes in whole: TensorFlow's may be another version.
    linker = compiler
    if nvcc:
        linker = [nvcc, "-ccbin", host_compiler(compiler), "-cudart", "static"]
    command = [*linker, "-shared", "-o", str(library), *objects, *link_flags(tensorflow)]
    _run(command, f"linking {LIBRARY_NAME}")


def _compile(
    compiler: list[str],
    nvcc: str | None,
    tensorflow: TensorFlow,
    root: Path,
    sources: list[Path],
    scratch: Path,
) -> list[str]:
    """Compiles each source to an object file, several at a time; returns the objects' paths."""
    flags = [*BASE_FLAGS, "-I", str(root), *compile_flags(tensorflow), *user_flags()]
    commands: dict[Path, list[str]] = {}
    if nvcc:
        flags.append("-DMALLENET_CUDA")
        cuda = [nvcc, "-ccbin", host_compiler(compiler), *CUDA_FLAGS, *cuda_code_flags(nvcc)]
        commands.update((source, cuda) for source in cuda_source_files(root))
    commands.update((source, [*compiler, *flags]) for source in sources)

    def one(item: tuple[Path, list[str]]) -> str:
        source, command = item
        target = scratch / f"{source.stem}.o"
        _run([*command, "-c", str(source), "-o", str(target)], f"compiling {source.name}")
        return str(target)

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return list(pool.map(one, commands.items()))


def _run(command: list[str], purpose: str) -> str:
    """Runs a command and returns what it printed; raises BuildError with command and output."""
    variables = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, env=variables, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise BuildError(f"{purpose} failed: {error}") from error
    if done.returncode != 0:
        output = done.stderr.strip() or done.stdout.strip()
        raise BuildError(
            f"{purpose} failed with status {done.returncode}:\n{shlex.join(command)}\n{output}"
        )
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog=BUILD_COMMAND, description="Compiles the native ops.")
    parser.add_argument("--output", type=Path, default=package_folder(), metavar="FOLDER")
    parser.add_argument("--force", action="store_true", help="build even if it is up to date")
    options = parser.parse_args(arguments)
    try:
        wanted = make_stamp(find_tensorflow(), source_root(), compiler_version(find_compiler()))
        if not options.force and is_built(options.output, wanted):
            print(f"{options.output / LIBRARY_NAME} is up to date")
            return 0
        print(f"built {build(options.output)}")
        nvcc, reason = nvcc_to_use(find_tensorflow())
        stamp = read_stamp(options.output)
        if stamp and stamp["cuda_kernels"]:
            print("with CUDA kernels")
        else:
            print(f"without CUDA kernels: {reason or f'{nvcc} failed, see above'}")
    except (BuildError, OSError, ValueError) as error:
        print(f"error: the native op cannot be built: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
