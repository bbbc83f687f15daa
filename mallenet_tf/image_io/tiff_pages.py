"""Finds the pages of TIFF files that are no smaller copies of others."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from typing import Any

from mallenet_tf.common.errors import UserError

_MOST_TAGS = 4096  # Of a directory; more are none to tifffile.
_WARNING = "smaller copies of the picture in the file are not kept"


def page_numbers(path: Path) -> list[int]:
    """Returns the numbers, from 0, of the pages of a TIFF file that are no smaller copies.

    Raises:
        UserError: If its directories form a circle.
        Exception: Whatever tifffile raises for damaged files.
    """
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        return _full_pages(tiff)


def only_page(path: Path) -> int:
    """Returns the number of the only page that is no smaller copy.

    Raises:
        UserError: If there are several.
        Exception: As `page_numbers`.
    """
    numbers = page_numbers(path)
    if len(numbers) > 1:
        raise UserError(f"holds {len(numbers)} frames; save the one to denoise as its own file")
    return numbers[0]


def _full_pages(tiff: Any) -> list[int]:
    _check_directories(tiff)
    reduced = [page.is_reduced for page in tiff.pages]
    return [number for number, is_copy in enumerate(reduced) if not is_copy or all(reduced)]


def _check_directories(tiff: Any) -> None:
    """Bounds the work for damaged files: tifffile follows some circles of directories for hours.

    The directories of a whole file do not overlap, so that they take no more than its bytes.
    """
    form, file, taken = tiff.tiff, tiff.filehandle, 0
    offset = tiff.pages.first.offset
    while 0 < offset <= file.size - form.tagnosize:
        file.seek(offset)
        (count,) = struct.unpack(form.tagnoformat, file.read(form.tagnosize))
        end = offset + form.tagnosize + count * form.tagsize + form.offsetsize
        if count > _MOST_TAGS or end > file.size:
            return  # There tifffile ends too, and says so.
        taken += end - offset
        if taken > file.size:
            raise UserError("is damaged: the directories of its pages form a circle")
        file.seek(end - form.offsetsize)
        (offset,) = struct.unpack(form.offsetformat, file.read(form.offsetsize))


def smaller_copies(tiff: Any, page: Any) -> list[str]:
    """Returns a warning if a page has smaller copies, which are its neighbors."""
    neighbors = [tiff.pages[page.index - 1]] if page.index else []
    with contextlib.suppress(IndexError):
        neighbors.append(tiff.pages[page.index + 1])
    found = not page.is_reduced and any(other.is_reduced for other in neighbors)
    return [_WARNING] * found
