"""How a data set is described: its splits, its variants, its files and where they are from."""

from __future__ import annotations

import dataclasses

Size = tuple[int, int]  # height, width


@dataclasses.dataclass(frozen=True)
class Split:
    """One split of a data set: where its files are and how many there must be.

    Attributes:
        name: Name of the split.
        patterns: Alternatives, of which the first that matches a file is used. Each is one or
            several glob patterns separated by spaces; a file may match any of them. A pattern with
            a folder in it matches at any depth below the manual folder, one without only directly
            in it. Case does not matter.
        count: Number of files that there must be; of pairs, of noisy ones.
        name_format: Format of the files' names where they are numbered without gaps, with which
            missing files are named; "" otherwise.
        first_number: The first number of such names.
        counts_folders: Whether `count` is a number of folders, each with at least one file.
    """

    name: str
    patterns: tuple[str, ...]
    count: int
    name_format: str = ""
    first_number: int = 1
    counts_folders: bool = False


@dataclasses.dataclass(frozen=True)
class Variant:
    """One of the forms in which a data set is published or prepared.

    Attributes:
        name: Follows the data set's name, as in `kodak24/crops`.
        about: What is different about it.
        sizes: Sizes that its images may have; empty for any.
        block: Side of the sub-images that images are cut into; 0 to keep them whole.
        overlap: Number of pixels that neighboring sub-images share, below `block`.
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
        name: Name in TensorFlow Datasets and on the command line.
        about: What is in it.
        page: The official page.
        archives: Names (globs) of the official downloads. Archives in the manual folder are
            unpacked if their files are not there.
        splits: The splits.
        citation: The paper, in BibTeX.
        license: Terms of use, in short; the page has the full terms.
        sizes: Sizes that images may have; empty for any.
        clean: For pairs, a regular expression that matches the name of a noisy file, and the glob,
            with groups of the expression in it, of the clean file in the same folder. None for
            single images.
        scene: For pairs, a regular expression that matches the end of a noisy file's path and whose
            groups, joined, name the scene, so that a split can keep scenes apart.
        variants: The variants, the default first.
    """

    name: str
    about: str
    page: str
    archives: tuple[str, ...]
    splits: tuple[Split, ...]
    citation: str
    license: str
    sizes: frozenset[Size] = frozenset()
    clean: tuple[str, str] | None = None
    scene: str = ""
    variants: tuple[Variant, ...] = ()

    @property
    def instructions(self) -> str:
        """What to download, where, and how to lay it out."""
        files = "; ".join(
            f"{split.name}: {split.count} "
            f"{'folders with files' if split.counts_folders else 'files'} "
            f"{' or '.join(split.patterns)}"
            for split in self.splits
        )
        return (
            f"Get {', '.join(self.archives)} from {self.page} and name the folder with the "
            f"download, or with what was unpacked from it, as the manual folder. Files: {files}."
        )
