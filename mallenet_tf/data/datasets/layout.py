"""Finds the files of a data set in a folder and says exactly what is missing."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from mallenet_tf.common.errors import UserError
from mallenet_tf.data.datasets.description import DataSet, Size, Split, Variant
from mallenet_tf.image_io.file_search import natural_order, unique_names
from mallenet_tf.image_io.formats import INTEGER_SUFFIXES
from mallenet_tf.image_io.image_reader import UnreadableImageError, image_size

_MOST_NAMED = 8  # missing or wrong files in one message; the others are counted


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """One file of a data set, or a noisy file and its clean one.

    Attributes:
        name: Name of the (noisy) file, with folders where two files share it.
        files: (image,), or (noisy, clean).
        scene: Scene that a pair shows; "" if the data set does not tell.
    """

    name: str
    files: tuple[Path, ...]
    scene: str = ""


def find(
    data_set: DataSet, folders: Sequence[str | os.PathLike], variant: Variant | None = None
) -> dict[str, list[ImageFiles]]:
    """Finds the files of a data set and checks that they are complete.

    Args:
        data_set: The data set.
        folders: Folders to search, at any depth; links to folders are followed.
        variant: The variant, if the data set has several.

    Returns:
        The files of each split in natural order.

    Raises:
        UserError: If files are missing, too many, unreadable, without a clean one, or of sizes that
            the data set does not have; it names them, the counts and the official page.
    """
    files = [(Path(folder), path) for folder in folders for path in _walk(Path(folder))]
    complaints: list[str] = []
    found = {}
    for split in data_set.splits:
        paths = _matching(split, files)
        complaints += _wrong_count(split, paths)
        found[split.name] = _with_clean_files(data_set, paths, complaints)
    if not complaints:
        sizes = (variant and variant.sizes) or data_set.sizes
        everything = [entry for entries in found.values() for entry in entries]
        complaints += _wrong_sizes(data_set, everything, sizes)
    if complaints:
        where = ", ".join(map(str, folders))
        label = f"{data_set.name}/{variant.name}" if variant else data_set.name
        raise UserError(
            f"{label}: {'; '.join(complaints)}. {data_set.instructions} Looked in: {where}"
        )
    return found


def _walk(folder: Path) -> list[Path]:
    """Returns all files below a folder, except hidden ones, which unpacking on a Mac adds."""
    return [
        Path(root) / name
        for root, _, names in os.walk(folder, followlinks=True)
        for name in names
        if not name.startswith(".")
    ]


def _matching(split: Split, files: Iterable[tuple[Path, Path]]) -> list[Path]:
    """Returns the files of the first alternative that matches any, in natural order."""
    lowered = [
        (PurePosixPath(path.relative_to(top).as_posix().lower()), path) for top, path in files
    ]
    for alternative in split.patterns:
        patterns = alternative.lower().split()
        found = [path for low, path in lowered if any(_fits(low, pattern) for pattern in patterns)]
        if found:
            return natural_order(found)
    return []


def _fits(path: PurePosixPath, pattern: str) -> bool:
    if "/" in pattern:
        return path.match(pattern)
    return len(path.parts) == 1 and fnmatch(path.name, pattern)


def _wrong_count(split: Split, paths: Sequence[Path]) -> list[str]:
    counted = {path.parent for path in paths} if split.counts_folders else set(paths)
    if len(counted) == split.count:
        return []
    what = "folders with files" if split.counts_folders else "files"
    complaint = (
        f"{split.name}: found {len(counted)} of {split.count} {what} {' or '.join(split.patterns)}"
    )
    present = {path.name.lower() for path in paths}
    numbers = range(split.first_number, split.first_number + split.count)
    expected = [split.name_format.format(number) for number in numbers if split.name_format]
    missing = [name for name in expected if name.lower() not in present]
    if missing and paths:
        complaint += f", missing {_some(missing)}"
    if len(counted) > split.count:
        complaint += f", in {_some(sorted({str(path.parent) for path in paths}))}"
    return [complaint]


def _with_clean_files(
    data_set: DataSet, paths: Sequence[Path], complaints: list[str]
) -> list[ImageFiles]:
    """Returns the files with their clean ones; adds a complaint about those without."""
    complete, without_clean = [], []
    for name, path in zip(unique_names(paths), paths, strict=True):
        clean = _clean_files(data_set, path)
        if len(clean) != 1 and data_set.clean:
            without_clean.append(f"{path} ({len(clean)} found)")
            continue
        complete.append(ImageFiles(name, (path, *clean), _scene(data_set, path)))
    if without_clean:
        complaints.append(f"no single clean image beside {_some(without_clean)}")
    return complete


def _clean_files(data_set: DataSet, noisy: Path) -> list[Path]:
    if not data_set.clean:
        return []
    expression, template = data_set.clean
    match = re.fullmatch(expression, noisy.name, re.IGNORECASE)
    assert match, f"{data_set.name}: {expression} must match all noisy files. Received: {noisy}"
    pattern = match.expand(template).lower()
    return [path for path in noisy.parent.iterdir() if fnmatch(path.name.lower(), pattern)]


def _scene(data_set: DataSet, path: Path) -> str:
    match = re.search(data_set.scene, path.absolute().as_posix(), re.IGNORECASE)
    return "_".join(match.groups()) if match else ""


def _wrong_sizes(
    data_set: DataSet, entries: Sequence[ImageFiles], allowed: frozenset[Size]
) -> list[str]:
    """Checks sizes by the headers of images; other files are checked when they are read."""
    wrong = []
    for entry in entries:
        if entry.files[0].suffix.lower() not in INTEGER_SUFFIXES:
            continue
        try:
            sizes = [image_size(file) for file in entry.files]
        except UnreadableImageError as error:
            wrong.append(str(error))
            continue
        if len(set(sizes)) > 1 or (allowed and sizes[0] not in allowed):
            wrong.append(f"{entry.name} is {' and '.join(map(_times, sizes))}")
    if not wrong:
        return []
    wanted = " or ".join(map(_times, sorted(allowed))) if allowed else "one size per pair"
    others = [
        f"; {variant.name} has {' or '.join(map(_times, sorted(variant.sizes)))}"
        for variant in data_set.variants
        if variant.sizes and variant.sizes != allowed
    ]
    return [f"{len(wrong)} of {len(entries)} are not {wanted}: {_some(wrong)}{''.join(others)}"]


def _times(size: Size) -> str:
    return f"{size[1]}x{size[0]}"


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
    return ", ".join(texts[:_MOST_NAMED]) + more
