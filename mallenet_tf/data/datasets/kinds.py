"""What the catalog says about a data set."""

from __future__ import annotations

import dataclasses

Size = tuple[int, int]  # height, width


@dataclasses.dataclass(frozen=True)
class Part:
    """One split: where its files are and how many there must be.

    Attributes:
        split: Name of the split.
        patterns: Alternatives; the first that matches a file is used. Each is one or several
            glob patterns separated by spaces, of which a file may match any. A pattern with a
            folder in it is looked for at any depth below the manual folder, one without only
            directly in it. Case does not matter.
        count: Files that there must be; of pairs, noisy ones.
        names: Where the files are numbered without gaps, the format of their names; it is used
            to name those that are missing.
        first: The first number.
        folders: The count is of folders, each with at least one file.
    """

    split: str
    patterns: tuple[str, ...]
    count: int
    names: str = ""
    first: int = 1
    folders: bool = False


@dataclasses.dataclass(frozen=True)
class Variant:
    """One of the forms in which a data set is published or prepared.

    Attributes:
        name: Comes after the data set's, as in `kodak24/crops`.
        about: What is different about it.
        sizes: Sizes that its images may have; empty for any.
        block: Side of the sub-images that images are cut into; 0 to keep them whole.
        overlap: Pixels that neighbouring sub-images share, below `block`.
    """

    name: str
    about: str
    sizes: frozenset[Size] = frozenset()
    block: int = 0
    overlap: int = 0


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set as its authors publish it.

    Attributes:
        name: What TensorFlow Datasets and the command line call it.
        about: What is in it.
        page: The official page.
        archives: Names (globs) of the official downloads. Archives that can be unpacked here are,
            if they lie in the manual folder and their files do not.
        parts: The splits.
        citation: Its paper, BibTeX.
        licence: Terms of use, in short; the page has the terms themselves.
        sizes: Sizes that images may have; empty for any.
        clean: For pairs, a regular expression for a noisy file's name and the glob, with groups of
            the expression in it, of the clean file in the same folder; None for single images.
        scene: For pairs, a regular expression for the end of a noisy file's path whose groups,
            joined, name the scene, so that a split can keep scenes apart.
        variants: The default one first.
    """

    name: str
    about: str
    page: str
    archives: tuple[str, ...]
    parts: tuple[Part, ...]
    citation: str
    licence: str
    sizes: frozenset[Size] = frozenset()
    clean: tuple[str, str] | None = None
    scene: str = ""
    variants: tuple[Variant, ...] = ()

    @property
    def instructions(self) -> str:
        """What to download from where, and how to lay it out."""
        wanted = "; ".join(
            f"{part.split}: {part.count} {'folders with files' if part.folders else 'files'} "
            f"{' or '.join(part.patterns)}"
            for part in self.parts
        )
        return (
            f"Get {', '.join(self.archives)} from {self.page} and name the folder with the "
            f"download, or with what was unpacked from it, as the manual folder. Files: {wanted}."
        )
