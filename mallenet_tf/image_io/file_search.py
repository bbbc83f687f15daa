"""Finds image and video files: in folders, by globs and from lists, in natural order."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from natsort import natsorted

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.file_kinds import count_kinds, describe_kinds
from mallenet_tf.image_io.formats import INTEGER_SUFFIXES

PathLike = str | os.PathLike


class NoFilesError(UserError, FileNotFoundError):
    """A path or pattern that names no file of the kind asked for."""


def list_images(patterns: PathLike | Iterable[PathLike]) -> list[Path]:
    """Finds images for training and evaluation.

    Args:
        patterns: As in `find_files`. Folders are searched recursively; OpenEXR files, which hold
            linear floats, are left out.

    Returns:
        Paths in natural order, without duplicates.

    Raises:
        FileNotFoundError: If a pattern matches no image.
        ValueError: If no pattern is given.
    """
    return natural_order({file for file, _ in find_files(patterns, INTEGER_SUFFIXES)})


def find_files(
    patterns: PathLike | Iterable[PathLike],
    suffixes: Collection[str],
    kind: str = "image",
    recursive: bool = True,
) -> list[tuple[Path, Path]]:
    """Finds files by their suffix.

    Hidden files and folders are left out, unless a pattern names them.

    Args:
        patterns: One or several of: a folder; a glob ("**" allowed), whose folders are searched
            too; a ".txt" file with the path of one file per line, relative to its own folder; any
            other file, whatever its suffix. A file that exists is never read as a glob.
        suffixes: Suffixes in lower case, with their dots.
        kind: What messages call the files.
        recursive: Search the subfolders of folders too.

    Returns:
        Each file and its place: its path below the folder that it was found in, or its name. In the
        order of the patterns, in natural order within each; a file found twice is there twice.

    Raises:
        FileNotFoundError: If a pattern matches no file.
        ValueError: If no pattern is given.
    """
    given = [patterns] if isinstance(patterns, str | os.PathLike) else list(patterns)
    if not given:
        raise ValueError(
            f"No {kind} files asked for: name a folder, a glob or files. Received: patterns={given}"
        )
    found: list[tuple[Path, Path]] = []
    for pattern in given:
        matches = _expand(Path(pattern).expanduser(), suffixes, recursive)
        if not matches:
            folder = Path(pattern).expanduser().is_dir()
            where = "in this folder" if folder else "match"
            deeper = "" if recursive or not folder else "; --recursive searches its subfolders"
            others = [file for file, _ in _expand(Path(pattern).expanduser(), None, recursive)]
            holds = f". Found {describe_kinds(count_kinds(others))}" if others else ""
            raise NoFilesError(
                f"No {kind} files ({' '.join(sorted(suffixes))}) {where}{deeper}{holds}. "
                f"Received: {os.fspath(pattern)!r}"
            )
        found += matches
    return found


def find_others(
    patterns: Iterable[PathLike], suffixes: Collection[str], recursive: bool = True
) -> list[Path]:
    """Returns what `find_files` passes over in the folders and globs of the same arguments.

    That is files of other suffixes, links to folders, and without `recursive` subfolders; hidden
    ones are left out.
    """
    others: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern).expanduser()
        found = {file for file, _ in _expand(path, suffixes, recursive)}
        everything = (file for file, _ in _expand(path, None, recursive))
        others.update(dict.fromkeys(file for file in everything if file not in found))
    return list(others)


def _expand(
    pattern: Path, suffixes: Collection[str] | None, recursive: bool
) -> list[tuple[Path, Path]]:
    """Expands a pattern to files of these suffixes, or to everything that it could mean."""
    if pattern.is_file():
        files = _listed(pattern) if pattern.suffix.lower() == ".txt" else [pattern]
        return [(file, Path(file.name)) for file in files]
    matches = [pattern] if pattern.is_dir() else map(Path, glob.glob(str(pattern), recursive=True))
    ordered = natural_order(matches)
    if not ordered:
        raise NoFilesError(f"No such file or folder. Received: {str(pattern)!r}")
    found: list[tuple[Path, Path]] = []
    for match in ordered:
        if match.is_dir():
            files = files_below(match, suffixes, recursive)
            found += [(file, file.relative_to(match)) for file in files]
        elif suffixes is None or (match.suffix.lower() in suffixes and match.is_file()):
            found.append((match, Path(match.name)))
    return found


def _listed(listing: Path) -> list[Path]:
    text = listing.read_text(encoding="utf-8", errors="surrogateescape")  # As names of files are.
    lines = (line.strip() for line in text.split("\n"))
    files = [Path(os.path.normpath(listing.parent / line)) for line in lines if line]
    for file in files:
        if not file.is_file():
            raise NoFilesError(f"{listing} names a file that does not exist. Received: {file}")
    return files


def files_below(
    folder: Path, suffixes: Collection[str] | None, recursive: bool = True
) -> list[Path]:
    """Returns the files of a folder by their suffix, in natural order, without hidden ones.

    Args:
        folder: The folder; links to folders in it are not followed.
        suffixes: Suffixes in lower case. None for all files, and the folders that are not searched.
        recursive: Search subfolders too.

    Raises:
        OSError: If a folder cannot be listed.
    """
    found: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if suffixes is None:
            passed = (Path(root, name) for name in folders)
            found += [path for path in passed if not recursive or path.is_symlink()]
        folders[:] = folders if recursive else []
        paths = (Path(root, name) for name in names if not name.startswith("."))
        found += [
            path
            for path in paths
            if suffixes is None or (path.suffix.lower() in suffixes and path.is_file())
        ]
    return natural_order(found)


def _raise(error: OSError) -> None:
    raise error


def natural_order(paths: Iterable[Path]) -> list[Path]:
    """Sorts paths so that img2.png comes before img10.png."""
    return natsorted(sorted(paths, key=str), key=str)  # img01 and img1 are equal to natsort


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Returns the files' names; if two are equal, all paths relative to their common folder."""
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        root = os.path.commonpath([path.absolute().parent for path in paths])
        names = [path.absolute().relative_to(root).as_posix() for path in paths]
    return names
