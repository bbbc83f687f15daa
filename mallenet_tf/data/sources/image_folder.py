"""Photographs as training sources: decoded once, kept in memory, cropped at random."""

from __future__ import annotations

import abc
import dataclasses
import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from mallenet_tf.common.checks import check_patterns
from mallenet_tf.data.sources.base import SampleShape, Source
from mallenet_tf.data.sources.image_bank import (
    Files,
    ImageBank,
    crop_function,
    load_bank,
    read_sizes,
)
from mallenet_tf.image_io import UnreadableImageError, list_images
from mallenet_tf.image_io.pairs import list_pairs

if TYPE_CHECKING:
    import tensorflow as tf

_log = logging.getLogger(__name__)

Patterns = str | os.PathLike | Sequence[str | os.PathLike]
_MOST_NAMED = 10  # unreadable files in one message


def join_patterns(patterns: Patterns) -> str:
    """Returns patterns as one text."""
    if isinstance(patterns, str | os.PathLike):
        return str(patterns)
    return ", ".join(map(str, patterns))


@dataclasses.dataclass(frozen=True)
class _Folder(Source):
    """Random crops of decoded images; a subclass says which files make an image.

    All images are decoded at the start, in parallel, and kept as uint8: twice their size must fit
    into memory. Every image is used once per epoch, regardless of its size, in an order that
    changes with the epoch; crop positions are uniform. Images smaller than the patch get reflect
    padding.
    """

    patterns: Patterns
    on_error: str = "refuse"
    max_memory: int = 4 * 2**30

    kind: ClassVar[str] = "images"

    def __post_init__(self) -> None:
        if self.on_error not in ("refuse", "skip"):
            raise ValueError(f'on_error is "refuse" or "skip". Received: on_error={self.on_error}')
        check_patterns(self.patterns)

    @abc.abstractmethod
    def images(self) -> list[Files]:
        """Returns the files of each image.

        Raises:
            FileNotFoundError: If there are no files.
        """

    def describe(self) -> str:
        """Returns how many images there are, how many megapixels, by their headers, and where.

        Raises:
            FileNotFoundError: If there are no files.
        """
        sizes, _ = read_sizes(self.images())
        megapixels = sum(height * width for height, width in sizes.values()) / 1e6
        where = join_patterns(self.patterns)
        return f"{len(sizes)} {self.kind}, {megapixels:.1f} megapixels ({where})"

    def load(self, channels: int, min_size: int = 1) -> ImageBank:
        """Decodes every file.

        Args:
            channels: 1 or 3.
            min_size: Images with a smaller side are extended to this.

        Raises:
            FileNotFoundError: If there are no files.
            UnreadableImageError: If files are unreadable and `on_error` is "refuse".
            ValueError: If no file is usable, or they need more than `max_memory`.
        """
        images = self.images()
        bank, complaints = load_bank(images, channels, min_size, self.max_memory)
        if complaints and self.on_error == "refuse":
            others = len(complaints) - _MOST_NAMED
            more = f" | and {others} more" if others > 0 else ""
            raise UnreadableImageError(
                f"{len(complaints)} of {len(images)} {self.kind} cannot be used; repair or remove "
                'the files, or set on_error="skip". '
                f"{' | '.join(complaints[:_MOST_NAMED])}{more}"
            )
        for complaint in complaints:
            _log.warning("Skipped: %s", complaint)
        if not len(bank.layout):
            raise ValueError(f"None of {len(images)} {self.kind} can be used. {complaints[0]}")
        return bank

    def sample_function(self, shape: SampleShape, seed: int) -> Callable[[tf.Tensor], tf.Tensor]:
        bank = self.load(shape.channels, shape.patch_size)
        return crop_function(bank, shape.patch_size, seed)


@dataclasses.dataclass(frozen=True)
class ImageFolder(_Folder):
    """Random crops of clean images.

    Attributes:
        patterns: Folders, globs or files, see `image_io.list_images`.
        weight: Share of the samples, relative to the other sources.
        on_error: "refuse" stops at files that cannot be decoded and names them; "skip" logs their
            names and skips them.
        max_memory: Most bytes that the decoded pixels may take.
    """

    def images(self) -> list[Files]:
        return [(path,) for path in list_images(self.patterns)]


@dataclasses.dataclass(frozen=True)
class PairFolder(_Folder):
    """Random crops of pairs of a noisy and a clean image, both cut at the same place.

    Attributes:
        patterns: The noisy images, see `image_io.list_images`.
        weight, on_error, max_memory: As in `ImageFolder`.
        rename: Rule for the clean image of a noisy one; see `image_io.list_pairs`.
    """

    rename: tuple[str, str] = ("noisy", "clean")

    kind: ClassVar[str] = "pairs"

    @property
    def paired(self) -> bool:
        return True

    def images(self) -> list[Files]:
        return list(list_pairs(self.patterns, self.rename))
