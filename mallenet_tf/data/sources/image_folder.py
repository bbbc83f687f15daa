"""Photographs as training sources: decoded once, kept in memory, cropped at random."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mallenet_tf.common.checks import check_patterns
from mallenet_tf.data.sources.image_bank import Files, ImageBank, crop_function, load_bank, probe
from mallenet_tf.image_io import UnreadableImageError, list_images
from mallenet_tf.image_io.pairs import list_pairs

if TYPE_CHECKING:
    import tensorflow as tf

_log = logging.getLogger(__name__)

Patterns = str | os.PathLike | Sequence[str | os.PathLike]


@dataclasses.dataclass(frozen=True)
class _Folder:
    """Random crops of decoded images; a subclass says which files make an image.

    All images are decoded at the start, in parallel, and kept as uint8: a set must fit into
    memory (twice, for a moment). Every image is used once per epoch, whatever its size, in an
    order that changes from epoch to epoch; the place of the crop is uniform. An image smaller
    than the patch is extended by mirroring.
    """

    patterns: Patterns
    weight: float = 1.0
    on_error: str = "refuse"
    max_memory: int = 4 * 2**30

    kind = "images"

    def __post_init__(self) -> None:
        if self.on_error not in ("refuse", "skip"):
            raise ValueError(f'on_error is "refuse" or "skip". Received: on_error={self.on_error}')
        check_patterns(self.patterns)

    def images(self) -> list[Files]:
        """The files of each image.

        Raises:
            FileNotFoundError: if there are no files.
        """
        raise NotImplementedError

    def describe(self) -> str:
        """One line: how many images, how many megapixels (from the headers), where from.

        Raises:
            FileNotFoundError: if there are no files.
        """
        sizes, _ = probe(self.images())
        megapixels = sum(height * width for height, width in sizes.values()) / 1e6
        given = self.patterns
        where = given if isinstance(given, str | os.PathLike) else ", ".join(map(str, given))
        return f"{len(sizes)} {self.kind}, {megapixels:.1f} megapixels ({where})"

    def load(self, channels: int, min_size: int = 1) -> ImageBank:
        """Decodes every file.

        Args:
            channels: 1 or 3.
            min_size: Images smaller than this are mirrored up to it.

        Raises:
            FileNotFoundError: if there are no files.
            UnreadableImageError: if files are unreadable and on_error is "refuse".
            ValueError: if no file is usable, or they need more than `max_memory`.
        """
        images = self.images()
        bank, complaints = load_bank(images, channels, min_size, self.max_memory)
        if complaints and self.on_error == "refuse":
            more = f" | and {len(complaints) - 10} more" if len(complaints) > 10 else ""
            raise UnreadableImageError(
                f"{len(complaints)} of {len(images)} {self.kind} cannot be used; repair or remove "
                f'the files, or set on_error="skip". {" | ".join(complaints[:10])}{more}'
            )
        for complaint in complaints:
            _log.warning("Skipped: %s", complaint)
        if not len(bank.layout):
            raise ValueError(f"None of {len(images)} {self.kind} can be used. {complaints[0]}")
        return bank

    def patches(
        self,
        first: int,
        wanted: Callable[[tf.Tensor], tf.Tensor],
        patch_size: int,
        channels: int,
        seed: int,
    ) -> tf.data.Dataset:
        """Crops number `first`, first + 1, ... for which `wanted` is true.

        Args:
            first: Number of the first crop.
            wanted: Maps int64 numbers to booleans, any shape.
            patch_size: Height and width of a crop.
            channels: 1 or 3.
            seed: Crops are a pure function of it and their number.

        Returns:
            Data set of uint8 [patch_size, patch_size, channels per file x files per image].
        """
        from mallenet_tf.data.random_numbers import made_from_numbers

        crop = crop_function(self.load(channels, patch_size), patch_size, seed)
        return made_from_numbers(first, wanted, crop)


@dataclasses.dataclass(frozen=True)
class ImageFolder(_Folder):
    """Random crops of clean images.

    Attributes:
        patterns: Folders, globs or files, as `image_io.list_images` takes them.
        weight: Share of the samples, relative to the other sources.
        on_error: "refuse" stops at files that cannot be decoded and names them; "skip" logs
            their names and goes on without them.
        max_memory: Most bytes that the decoded pixels may take.
    """

    def images(self) -> list[Files]:
        return [(path,) for path in list_images(self.patterns)]


@dataclasses.dataclass(frozen=True)
class PairFolder(_Folder):
    """Random crops of pairs of a noisy image and its clean one, both at the same place.

    Attributes:
        patterns: The noisy images, as `image_io.list_images` takes them.
        weight, on_error, max_memory: As of `ImageFolder`.
        rename: Where the clean image of a noisy one is, see `image_io.list_pairs`.
    """

    rename: tuple[str, str] = ("noisy", "clean")

    kind = "pairs"

    def images(self) -> list[Files]:
        return list(list_pairs(self.patterns, self.rename))
