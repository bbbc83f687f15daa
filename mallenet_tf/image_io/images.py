"""Finding and decoding image files, without TensorFlow.

Every image becomes a uint8 HWC array with the number of channels asked for:

- colour to gray is Pillow's "L" (ITU-R 601 luma, 299/587/114 thousandths);
- gray to colour repeats the gray value;
- alpha is dropped, palettes are resolved, of several frames the first is taken;
- 16-bit gray is scaled to 8 bits (v / 257, rounded); Pillow itself reduces 16-bit colour;
- pixels are as stored: an EXIF orientation is not applied.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_MODES = {1: "L", 3: "RGB"}

PathLike = str | os.PathLike


class UnreadableImageError(ValueError):
    """A file that exists but does not hold an image that can be decoded."""


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Sort key under which "img2" comes before "img10"."""
    parts = re.findall(r"\d+|\D+", text)
    return [(0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts]


def list_images(patterns: PathLike | Iterable[PathLike]) -> list[Path]:
    """Lists image files.

    Args:
        patterns: One or several of: a folder (searched recursively for the known
            extensions, hidden files left out), a glob ("**" allowed), an image file, or a
            ".txt" file holding the path of one image per line, relative to its own folder.

    Returns:
        Paths in natural order, without duplicates.

    Raises:
        FileNotFoundError: if a pattern matches no image.
        ValueError: if no pattern is given.
    """
    if isinstance(patterns, str | os.PathLike):
        patterns = [patterns]
    found: dict[Path, None] = {}
    given = [Path(os.path.expanduser(p)) for p in patterns]
    if not given:
        raise ValueError(
            "No image files asked for: name a folder, a glob or files. "
            f"Received: patterns={patterns}"
        )
    for pattern in given:
        found.update(dict.fromkeys(_expand(pattern)))
    return sorted(found, key=lambda path: natural_key(str(path)))


def _expand(pattern: Path) -> list[Path]:
    if pattern.is_dir():
        files = _walk(pattern)
    elif pattern.is_file() and pattern.suffix.lower() == ".txt":
        files = _listed(pattern)
    elif pattern.is_file():
        return [pattern]
    else:
        matches = [Path(match) for match in glob.glob(str(pattern), recursive=True)]
        files = [m for m in matches if m.is_file() and m.suffix.lower() in EXTENSIONS]
        for folder in (m for m in matches if m.is_dir()):
            files.extend(_walk(folder))
    if not files:
        kinds = " ".join(sorted(EXTENSIONS))
        what = "The folder holds" if pattern.is_dir() else "The path or pattern matches"
        raise FileNotFoundError(f"{what} no image file ({kinds}). Received: {pattern}")
    return files


def _listed(listing: Path) -> list[Path]:
    lines = (line.strip() for line in listing.read_text(encoding="utf-8").splitlines())
    files = [Path(os.path.normpath(listing.parent / line)) for line in lines if line]
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(f"{listing} names a file that does not exist. Received: {file}")
    return files


def _walk(folder: Path) -> list[Path]:
    return [
        Path(root) / name
        for root, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in EXTENSIONS and not name.startswith(".")
    ]


def image_size(path: PathLike) -> tuple[int, int]:
    """Height and width from the file's header, without decoding the pixels.

    Raises:
        UnreadableImageError: if the header cannot be read.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except FileNotFoundError:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen unrelated types.
        raise UnreadableImageError(_complaint(path, error)) from error


def decode_image(path: PathLike, channels: int = 3) -> np.ndarray:
    """Decodes one file to uint8 [height, width, channels].

    Args:
        path: JPEG, PNG, BMP, WebP or TIFF.
        channels: 3 for RGB, 1 for gray.

    Raises:
        FileNotFoundError: if there is no such file.
        UnreadableImageError: if it is empty, truncated, damaged or of no known kind.
        ValueError: for another number of channels.
    """
    if channels not in _MODES:
        raise ValueError(f"Images have 1 or 3 channels. Received: channels={channels}")
    try:
        with Image.open(path) as image:
            image.load()
            pixels = np.asarray(_to_eight_bits(image).convert(_MODES[channels]))
    except FileNotFoundError:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen unrelated types.
        raise UnreadableImageError(_complaint(path, error)) from error
    return pixels.reshape(*pixels.shape[:2], channels)


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scales 16-bit gray down; Pillow's own conversion would clip it at 255."""
    if image.mode == "F":
        raise ValueError("floating-point pixels have no agreed range; save it as 8 or 16 bits")
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ValueError("integer pixels outside the range of 16 bits")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _complaint(path: PathLike, error: Exception) -> str:
    reason = "the file is empty" if os.path.getsize(path) == 0 else str(error) or repr(error)
    return f"Not a readable image: {reason}. Received: {os.fspath(path)}"


def load_images(
    patterns: PathLike | Iterable[PathLike], channels: int = 3
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields (name, uint8 [height, width, channels]) in natural order, for evaluation.

    The name is the file's name; where two files share one, all names are paths relative to
    their common folder. Files are listed at once and decoded one at a time.

    Args:
        patterns: As in `list_images`.
        channels: 3 for RGB, 1 for gray.

    Raises:
        FileNotFoundError, UnreadableImageError, ValueError: as the functions it is made of.
    """
    paths = list_images(patterns)
    names = unique_names(paths)
    return ((name, decode_image(path, channels)) for name, path in zip(names, paths, strict=True))


def unique_names(paths: Sequence[Path]) -> list[str]:
    """The files' names; where two files share one, all paths relative to their common folder."""
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        root = os.path.commonpath([path.absolute().parent for path in paths])
        names = [path.absolute().relative_to(root).as_posix() for path in paths]
    return names
