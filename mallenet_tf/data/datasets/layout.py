"""Finding a data set's files in a folder, and saying exactly what is missing."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from mallenet_tf.common.errors import UserError
from mallenet_tf.data.datasets.kinds import DataSet, Part, Size, Variant
from mallenet_tf.image_io.file_search import natural_order, unique_names
from mallenet_tf.image_io.formats import INTEGER_SUFFIXES
from mallenet_tf.image_io.image_reader import UnreadableImageError, image_size

_NAMED = 8  # so many missing or wrong files are named, the others counted


@dataclasses.dataclass(frozen=True)
class Item:
    """One file of a data set, or a noisy one and its clean one.

    Attributes:
        name: Of the (noisy) file; with folders where two files share a name.
        files: (image,), or (noisy, clean).
        scene: Which scene a pair shows; "" if the data set does not say.
    """

    name: str
    files: tuple[Path, ...]
    scene: str = ""


def find(
    data_set: DataSet, folders: Sequence[str | os.PathLike], variant: Variant | None = None
) -> dict[str, list[Item]]:
    """Finds the files of a data set, whole and of the right sizes.

    Args:
        data_set: Which.
        folders: Where to look, at any depth; links to folders are followed.
        variant: Which form of it, if it has several.

    Returns:
        The items of each split in natural order.

    Raises:
        UserError: if files are missing, too many, unreadable, without a clean partner, or of sizes
            that the data set does not have; it names them, the counts and the official page.
    """
    files = [(Path(folder), path) for folder in folders for path in _walk(Path(folder))]
    complaints: list[str] = []
    found = {}
    for part in data_set.parts:
        paths = _matching(part, files)
        complaints += _wrong_count(part, paths)
        found[part.split] = _items(data_set, paths, complaints)
    if not complaints:
        sizes = (variant and variant.sizes) or data_set.sizes
        everything = [item for items in found.values() for item in items]
        complaints += _wrong_sizes(data_set, everything, sizes)
    if complaints:
        where = ", ".join(map(str, folders))
        label = f"{data_set.name}/{variant.name}" if variant else data_set.name
        raise UserError(
            f"{label}: {'; '.join(complaints)}. {data_set.instructions} Looked in: {where}"
        )
    return found


def _walk(folder: Path) -> list[Path]:
    """All files below a folder but hidden ones, which unpacking on a Mac leaves behind."""
    return [
        Path(root) / name
        for root, _, names in os.walk(folder, followlinks=True)
        for name in names
        if not name.startswith(".")
    ]


def _matching(part: Part, files: Iterable[tuple[Path, Path]]) -> list[Path]:
    """The files of the first alternative that matches any, in natural order."""
    lowered = [
        (PurePosixPath(path.relative_to(top).as_posix().lower()), path) for top, path in files
    ]
    for alternative in part.patterns:
        patterns = alternative.lower().split()
        found = [path for low, path in lowered if any(_fits(low, pattern) for pattern in patterns)]
        if found:
            return natural_order(found)
    return []


def _fits(path: PurePosixPath, pattern: str) -> bool:
    if "/" in pattern:
        return path.match(pattern)
    return len(path.parts) == 1 and fnmatch(path.name, pattern)


def _wrong_count(part: Part, paths: Sequence[Path]) -> list[str]:
    counted = {path.parent for path in paths} if part.folders else set(paths)
    if len(counted) == part.count:
        return []
    what = "folders with files" if part.folders else "files"
    complaint = (
        f"{part.split}: found {len(counted)} of {part.count} {what} {' or '.join(part.patterns)}"
    )
    present = {path.name.lower() for path in paths}
    numbered = [part.names.format(part.first + i) for i in range(part.count)] if part.names else []
    missing = [name for name in numbered if name.lower() not in present]
    if missing and paths:
        complaint += f", missing {_some(missing)}"
    if len(counted) > part.count:
        complaint += f", in {_some(sorted({str(path.parent) for path in paths}))}"
    return [complaint]


def _items(data_set: DataSet, paths: Sequence[Path], complaints: list[str]) -> list[Item]:
    """Completes pairs; complains about those without a clean image."""
    items, lonely = [], []
    for name, path in zip(unique_names(paths), paths, strict=True):
        partners = _partners(data_set, path)
        if len(partners) != 1 and data_set.clean:
            lonely.append(f"{path} ({len(partners)} found)")
            continue
        items.append(Item(name, (path, *partners), _scene(data_set, path)))
    if lonely:
        complaints.append(f"no single clean image beside {_some(lonely)}")
    return items


def _partners(data_set: DataSet, noisy: Path) -> list[Path]:
    if not data_set.clean:
        return []
    expression, template = data_set.clean
    match = re.fullmatch(expression, noisy.name, re.IGNORECASE)
    assert match, f"{data_set.name}: {expression} must fit what the patterns find: {noisy.name}"
    pattern = match.expand(template).lower()
    return [path for path in noisy.parent.iterdir() if fnmatch(path.name.lower(), pattern)]


def _scene(data_set: DataSet, path: Path) -> str:
    match = re.search(data_set.scene, path.absolute().as_posix(), re.IGNORECASE)
    return "_".join(match.groups()) if match else ""


def _wrong_sizes(data_set: DataSet, items: Sequence[Item], allowed: frozenset[Size]) -> list[str]:
    """Reads the images' headers. Files of other kinds are checked when they are read."""
    wrong = []
    for item in items:
        if item.files[0].suffix.lower() not in INTEGER_SUFFIXES:
            continue
        try:
            sizes = [image_size(file) for file in item.files]
        except UnreadableImageError as error:
            wrong.append(str(error))
            continue
        if len(set(sizes)) > 1 or (allowed and sizes[0] not in allowed):
            wrong.append(f"{item.name} is {' and '.join(map(_times, sizes))}")
    if not wrong:
        return []
    wanted = " or ".join(map(_times, sorted(allowed))) if allowed else "one size per pair"
    others = [
        f"; {variant.name} has {' or '.join(map(_times, sorted(variant.sizes)))}"
        for variant in data_set.variants
        if variant.sizes and variant.sizes != allowed
    ]
    return [f"{len(wrong)} of {len(items)} are not {wanted}: {_some(wrong)}{''.join(others)}"]


def _times(size: Size) -> str:
    return f"{size[1]}x{size[0]}"


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more
