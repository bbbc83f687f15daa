"""Loads the native ops on first use, or says in one line why they are missing.

Looks, in this order, for

1. the library beside the package, if its stamp fits: `python -m mallenet_tf.ops.build` makes it,
   and wheels that were built where TensorFlow is installed hold it;
2. a library in the per-user cache, by TensorFlow version, compiler, flags and source hash;
3. a compiler, to build the sources that come with the package into that cache.

Without any of them it logs one warning, and callers use the reference implementation.

`MALLENET_NATIVE_OP` is `auto` (the default), `require` (an error instead of the warning) or `off`
(never load).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import filelock
import platformdirs

from mallenet_tf.ops.native_build import compilers, library, sources
from mallenet_tf.ops.native_build.commands import BUILD_COMMAND, BuildError
from mallenet_tf.ops.native_build.installed_tensorflow import find_tensorflow
from mallenet_tf.ops.native_build.stamp import (
    LIBRARY_NAME,
    Stamp,
    is_built,
    make_stamp,
    mismatch,
    read_stamp,
)

MODE_VARIABLE = "MALLENET_NATIVE_OP"
MODES = ("auto", "require", "off")

_logger = logging.getLogger("mallenet_tf")
_lock = threading.Lock()


class NativeOpError(RuntimeError):
    """The native ops are required and cannot be loaded; the message says what is missing."""


@dataclass(frozen=True)
class _Outcome:
    """The result of the only attempt to load: the op module, or the reason why there is none."""

    module: ModuleType | None
    reason: str = ""


_outcome: _Outcome | None = None


def load_native() -> ModuleType | None:
    """Returns the module with the native ops, loading it on the first call; None without it.

    Thread-safe. Tries to load once per process, and reads `MALLENET_NATIVE_OP` every time.

    Raises:
        NativeOpError: The mode is `require` and the ops cannot be loaded.
        ValueError: The mode is unknown.
    """
    mode = native_mode()
    if mode == "off":
        return None
    outcome = _load_once(warn=mode == "auto")
    if outcome.module is None and mode == "require":
        raise NativeOpError(
            f"{MODE_VARIABLE}=require, but {outcome.reason} (to build it: {BUILD_COMMAND})"
        )
    return outcome.module


def native_available() -> bool:
    """Says whether the native ops are in use here; loads them if necessary."""
    return load_native() is not None


def native_mode() -> str:
    """Returns the mode in `MALLENET_NATIVE_OP`.

    Raises:
        ValueError: The mode is unknown.
    """
    mode = os.environ.get(MODE_VARIABLE, "").strip().lower() or "auto"
    if mode not in MODES:
        raise ValueError(
            f"{MODE_VARIABLE} must be one of {', '.join(MODES)}. Received: {MODE_VARIABLE}={mode}"
        )
    return mode


def cache_folder() -> Path:
    """Returns the folder that holds the compiled libraries of this user."""
    return platformdirs.user_cache_path("mallenet_tf", appauthor=False)


def find_or_build_library() -> Path:
    """Returns the path of a library that fits the installed TensorFlow; compiles it if necessary.

    Raises:
        BuildError, OSError: There is none, and the message says why.
    """
    tensorflow, root = find_tensorflow(), sources.source_root()
    wanted = make_stamp(tensorflow, root, compiler=None)
    stale = ""
    stamp = read_stamp(library.package_folder())
    if stamp is not None:
        difference = mismatch(stamp, wanted)
        if difference is None:
            return library.package_folder() / LIBRARY_NAME
        stale = f"the library in {library.package_folder()} is not used: {difference}"

    try:
        version = compilers.compiler_version(compilers.find_compiler())
    except BuildError as error:
        cached = _find_cached(wanted)
        if cached is not None:
            return cached
        raise BuildError("; ".join(filter(None, [stale, str(error)]))) from error

    key = make_stamp(tensorflow, root, version)
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_folder() / f"tensorflow-{tensorflow.version}-{digest}"
    # Processes that start together compile once. Libraries would be whole without the lock as well,
    # because they are renamed into place.
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        if is_built(folder, key):
            return folder / LIBRARY_NAME
        if stale:
            _logger.info("%s; it is built again", stale)
        # A warning, because it explains a wait of about a minute.
        _logger.warning(
            "compiling the native op for TensorFlow %s %s CUDA kernels, once",
            tensorflow.version,
            "with" if key["cuda"] else "without",
        )
        return library.build(folder, tensorflow, root)


def _find_cached(wanted: Stamp) -> Path | None:
    """Returns a cached library that fits, whichever compiler made it."""
    for folder in sorted(cache_folder().glob("tensorflow-*")):
        stamp = read_stamp(folder)
        if stamp is not None and mismatch(stamp, wanted) is None:
            return folder / LIBRARY_NAME
    return None


def _load_once(warn: bool) -> _Outcome:
    """Tries to load on the first call; warns if that failed and `warn` is set."""
    global _outcome
    with _lock:
        if _outcome is None:
            _outcome = _load()
            if _outcome.module is None and warn:
                _logger.warning(
                    "%s; the slower reference implementation is used. To build it: %s",
                    _outcome.reason,
                    BUILD_COMMAND,
                )
        return _outcome


def _load() -> _Outcome:
    """Finds or builds the library and loads it into TensorFlow."""
    try:
        path = find_or_build_library()
    except (RuntimeError, OSError) as error:
        return _Outcome(None, f"the native op is not available: {_one_line(str(error))}")

    import tensorflow as tf

    try:
        return _Outcome(tf.load_op_library(str(path)))
    except (tf.errors.OpError, OSError, RuntimeError) as error:
        return _Outcome(None, f"the native op in {path} does not load: {_one_line(str(error))}")


def _one_line(text: str) -> str:
    """Shortens a compiler's output to one line: what failed, and the first error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines[1:] if "error:" in line]
    return " ".join([*lines[:1], *errors[:1]])
