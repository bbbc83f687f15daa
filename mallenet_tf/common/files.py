"""Atomic writing of files and folders, and fingerprints of file sets."""

import hashlib
import os
import platform
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from mallenet_tf.common.errors import UserError


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path in the same folder, renamed to `path` when the block succeeds.

    The temporary name keeps the suffix, since many writers choose the format by it. When the block
    raises, the temporary file is removed and `path` keeps its content.

    Args:
        path: File to write; its folder is created.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    handle, name = tempfile.mkstemp(
        prefix=f"{_prefix(path)}{os.getpid()}-", suffix=path.suffix, dir=path.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes private files; a result should not be
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _prefix(path: Path) -> str:
    return f".{path.stem[:40]}.mallenet-{platform.node()[:20]}-"


def _remove_leftovers(path: Path) -> None:
    """Removes the temporary files for `path` of processes of this machine that were killed."""
    ours = re.compile(rf"{re.escape(_prefix(path))}(\d+)-\w{{8}}{re.escape(path.suffix)}")
    for file in path.parent.iterdir():
        match = ours.fullmatch(file.name)
        if match and not psutil.pid_exists(int(match[1])):
            file.unlink(missing_ok=True)


@contextmanager
def unchanging(path: str | os.PathLike) -> Iterator[None]:
    """Checks that a file stays what it is during a block that reads it.

    Raises:
        UserError: If its size, its time or the file itself changed, so that what was read may be
            half old and half new.
    """
    before = _state(path)
    yield
    if _state(path) != before:
        raise UserError(
            f"The file changed while it was read; run the command again. Received: {path}"
        )


def _state(path: str | os.PathLike) -> tuple[int, ...]:
    found = os.stat(path)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Yields an empty temporary folder, renamed to `path` when the block succeeds.

    An existing folder at `path` is replaced as a whole.

    Args:
        path: Folder to write; its parent is created.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name[:40]}-", dir=path.parent) as name:
        new = Path(name) / "new"
        new.mkdir()
        yield new
        if path.exists():
            os.replace(path, Path(name) / "old")
        os.replace(new, path)


def fingerprint(paths: Iterable[str | os.PathLike]) -> str:
    """Computes a hash of a set of files, which distinguishes variants of a data set.

    It depends on names and bytes, not on folders and order.

    Args:
        paths: The files.

    Returns:
        The first 16 hexadecimal digits of a SHA-256 over the sorted lines "digest name".
    """
    lines = []
    for path in map(Path, paths):
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        lines.append(f"{digest.hexdigest()} {path.name}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()[:16]
