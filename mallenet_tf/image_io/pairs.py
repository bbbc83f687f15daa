"""Finds and decodes pairs of a noisy photograph and its clean one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mallenet_tf.image_io.file_search import PathLike, list_images
from mallenet_tf.image_io.image_reader import decode_image


def list_pairs(
    noisy: PathLike | Iterable[PathLike], rename: tuple[str, str] = ("noisy", "clean")
) -> list[tuple[Path, Path]]:
    """Finds pairs of a noisy and a clean image file.

    Args:
        noisy: The noisy images, as in `list_images`.
        rename: (old, new): the clean image's file name is the noisy one's with the last `old` in it
            replaced by `new`, in the same folder: ("_real", "_mean") for PolyU, ("NOISY", "GT") for
            SIDD. A slash in `old` replaces in the whole path instead: ("/noisy/", "/clean/") for
            two folders with the same file names. Files without `old` are left out, so that a folder
            may hold noisy and clean images.

    Returns:
        (noisy, clean) in the natural order of the noisy ones.

    Raises:
        FileNotFoundError: If there are no pairs, or a clean image is missing.
        ValueError: If `rename` is not two different strings.
    """
    old, new = _checked(rename)
    pairs = []
    for path in list_images(noisy):
        before, found, after = (str(path) if "/" in old else path.name).rpartition(old)
        if not found:
            continue
        renamed = before + new + after
        clean = Path(renamed) if "/" in old else path.with_name(renamed)
        if not clean.is_file():
            raise FileNotFoundError(
                f"{path} has no clean image {clean}. Received: rename=({old!r}, {new!r})"
            )
        pairs.append((path, clean))
    if not pairs:
        where = "path" if "/" in old else "name"
        raise FileNotFoundError(
            f"No image has {old!r} in its {where}. Received: patterns={noisy}, "
            f"rename=({old!r}, {new!r})"
        )
    return pairs


def _checked(rename: tuple[str, str]) -> tuple[str, str]:
    if isinstance(rename, str) or len(rename) != 2 or not rename[0] or rename[0] == rename[1]:
        raise ValueError(
            "rename is what to replace in a noisy image's name and by what, two different strings. "
            f"Received: rename={rename!r}"
        )
    return rename[0], rename[1]


def load_pairs(
    noisy: PathLike | Iterable[PathLike],
    rename: tuple[str, str] = ("noisy", "clean"),
    channels: int = 3,
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Decodes pairs of images, one pair at a time; the files are found at once.

    Args:
        noisy: The noisy images, as in `list_images`.
        rename: As in `list_pairs`.
        channels: 3 for RGB, 1 for gray.

    Yields:
        (name of the noisy file, noisy, clean), both uint8 [height, width, channels].

    Raises:
        FileNotFoundError: As `list_pairs`.
        UnreadableImageError: As `image_reader.decode_image`.
        ValueError: If the images of a pair differ in size.
    """

    def load(first: Path, second: Path) -> tuple[str, np.ndarray, np.ndarray]:
        one, other = decode_image(first, channels), decode_image(second, channels)
        if one.shape != other.shape:
            raise ValueError(
                "The images of a pair must have one size. "
                f"Received: {first} {one.shape}, {second} {other.shape}"
            )
        return first.name, one, other

    return (load(*pair) for pair in list_pairs(noisy, rename))
