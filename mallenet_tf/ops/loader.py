"""Loads the native ops on first use, and says in one line why they are not there.

Looked for, in this order:

1. the library beside the package (`python -m mallenet_tf.ops.build`, or a wheel that was built
   where TensorFlow was installed), if its stamp names the TensorFlow that is installed;
2. the per-user cache, `$XDG_CACHE_HOME/mallenet_tf`, by TensorFlow version, compiler, flags and
   source hash;
3. the compiler: the sources come with the package and are compiled into that cache;
4. none: one warning, and callers use the reference implementation.

`MALLENET_NATIVE_OP` changes that: `auto` (the default), `require` (an error instead of the
warning) or `off` (never load).
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

MODE_VARIABLE = "MALLENET_NATIVE_OP"
MODES = ("auto", "require", "off")

_logger = logging.getLogger("mallenet_tf")
_lock = threading.Lock()


class NativeOpError(RuntimeError):
    """The native ops are required and cannot be loaded; the message says what is missing."""


@dataclass(frozen=True)
class _Outcome:
    """The one attempt of this process: the op module, or the reason why there is none."""

    module: ModuleType | None
    reason: str = ""


_outcome: _Outcome | None = None


def run_once(register: Callable[..., None]) -> Callable[..., None]:
    """Makes further calls of a function wait for the first and do nothing.

    For registering gradients, which TensorFlow refuses to do twice; `functools.cache` lets threads
    that call together all in.
    """
    lock, done = threading.Lock(), False

    @functools.wraps(register)
    def once(*arguments: object) -> None:
        nonlocal done
        with lock:
            if not done:
                register(*arguments)
                done = True

    return once


def load_native() -> ModuleType | None:
    """Returns the module with the native ops, loading it on the first call; None without it.

    Thread-safe. The attempt is made once per process; `MALLENET_NATIVE_OP` is read every time.

    Raises:
      NativeOpError: the mode is `require` and the ops cannot be loaded.
      ValueError: the mode is unknown.
    """
    mode = native_mode()
    if mode == "off":
        return None
    outcome = _attempt_once(warn=mode == "auto")
    if outcome.module is None and mode == "require":
        raise NativeOpError(
            f"{MODE_VARIABLE}=require, but {outcome.reason} (to build it: {build_command()})"
        )
    return outcome.module


def native_available() -> bool:
    """Says whether the native ops are in use here; loads them if that was not tried yet."""
    return load_native() is not None


def native_mode() -> str:
    """Returns the mode that `MALLENET_NATIVE_OP` sets.

    Raises:
      ValueError: the mode is unknown.
    """
    mode = os.environ.get(MODE_VARIABLE, "").strip().lower() or "auto"
    if mode not in MODES:
        raise ValueError(
            f"{MODE_VARIABLE} must be one of {', '.join(MODES)}. Received: {MODE_VARIABLE}={mode}"
        )
    return mode


def cache_folder() -> Path:
    """Returns the folder below which compiled libraries are kept for this user."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is invalid and ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "mallenet_tf"


def find_or_build_library() -> Path:
    """Returns the path of a library that fits the installed TensorFlow, compiling it if need be.

    Raises:
      BuildError, OSError, RuntimeError: there is none, and the message says why.
    """
    # Imported here so that `python -m mallenet_tf.ops.build` does not find itself imported twice.
    from mallenet_tf.ops import build

    tensorflow = build.find_tensorflow()
    root = build.source_root()
    wanted = build.make_stamp(tensorflow, root, compiler=None)

    stale = ""
    stamp = build.read_stamp(build.package_folder())
    if stamp is not None:
        why = build.mismatch(stamp, wanted)
        if why is None:
            return build.package_folder() / build.LIBRARY_NAME
        stale = f"the library in {build.package_folder()} is not used: {why}"

    try:
        version = build.compiler_version(build.find_compiler())
    except build.BuildError as error:
        cached = _any_cached(wanted)
        if cached is not None:
            return cached
        raise build.BuildError("; ".join(filter(None, [stale, str(error)]))) from error

    key = build.make_stamp(tensorflow, root, version)
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_folder() / f"tensorflow-{tensorflow.version}-{digest}"
    with _one_process_at_a_time(folder):
        if build.is_built(folder, key):
            return folder / build.LIBRARY_NAME
        if stale:
            _logger.info("%s; it is built anew", stale)
        # A warning, so that it is seen: the wait, of a minute or so, is otherwise silent.
        _logger.warning(
            "compiling the native op for TensorFlow %s %s CUDA kernels, once",
            tensorflow.version,
            "with" if key["cuda"] else "without",
        )
        return build.build(folder, tensorflow, root)


@contextmanager
def _one_process_at_a_time(folder: Path) -> Iterator[None]:
    """Holds `folder`'s lock, so that processes that start together compile once.

    The files would be whole without it as well, because they are renamed into place.
    """
    import fcntl  # not on Windows, where there is nothing to lock: the op is built on Linux only

    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f"{folder.name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _any_cached(wanted: dict[str, object]) -> Path | None:
    """Returns a cached library that fits, whichever compiler made it."""
    from mallenet_tf.ops import build

    for folder in sorted(cache_folder().glob("tensorflow-*")):
        stamp = build.read_stamp(folder)
        if stamp is not None and build.mismatch(stamp, wanted) is None:
            return folder / build.LIBRARY_NAME
    return None


def _attempt_once(warn: bool) -> _Outcome:
    """Makes the process's one attempt to load; warns if it failed and `warn` is set."""
    global _outcome
    with _lock:
        if _outcome is None:
            _outcome = _attempt()
            if _outcome.module is None and warn:
                _logger.warning(
                    "%s; the slower reference implementation is used. To build it: %s",
                    _outcome.reason,
                    build_command(),
                )
        return _outcome


def _attempt() -> _Outcome:
    """Finds or builds the library and loads it into TensorFlow."""
    try:
        library = find_or_build_library()
    except (RuntimeError, OSError) as error:
        return _Outcome(None, f"the native op is not available: {_one_line(str(error))}")

    import tensorflow as tf

    try:
        return _Outcome(tf.load_op_library(str(library)))
    except (tf.errors.OpError, OSError, RuntimeError) as error:
        return _Outcome(None, f"the native op in {library} does not load: {_one_line(str(error))}")


def _one_line(text: str) -> str:
    """Shortens a compiler's output to what fits one line: what failed, and the first error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines[1:] if "error:" in line]
    return " ".join([*lines[:1], *errors[:1]])


def build_command() -> str:
    """Returns the command that builds the library beside the package."""
    from mallenet_tf.ops import build

    return build.BUILD_COMMAND
