"""Cuts overlapping tiles and blends their results, a band of finished rows at a time.

Tiles start at multiples of the network's grid, so that pyramid and kernel grids fall on the same
pixels as in the whole image, and neighbors overlap. In the middle half of an overlap one tile fades
into the next; the outer quarters, where a tile lacks its surroundings, do not count. Only one row
of tiles is held at a time, so memory grows with the image's width, not its area.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

Window = tuple[slice, slice]  # rows and columns
TileCallback = Callable[[int, int], None]  # of tiles done, and tiles in all


class Span(NamedTuple):
    """A tile along one axis: the half-open interval [start, stop) of pixels."""

    start: int
    stop: int


def tile_spans(size: int, tile: int, overlap: int, multiple: int) -> list[Span]:
    """Covers `size` pixels with the fewest tiles of at most `tile` pixels, evenly.

    Args:
        size: Length of the axis in pixels, >= 1.
        tile: Largest length of a tile, a multiple of `multiple`, at least 3 * overlap.
        overlap: Pixels that neighbors share, a multiple of `multiple`.
        multiple: Grid on which every tile starts.

    Returns:
        Spans in order; all but the last end `overlap` pixels after the start of the next.

    Raises:
        ValueError: If the sizes do not fit together.
    """
    check_tiles(tile, overlap, multiple)
    if size < 1:
        raise ValueError(f"The image holds no pixels. Received: size={size}")
    if size <= tile:
        return [Span(0, size)]
    count = -(-(size - overlap) // (tile - overlap))
    # The even step is rounded up to the grid; tile - overlap is on the grid and bounds it.
    step = -(-(size - overlap) // (count * multiple)) * multiple
    starts = range(0, size - overlap, step)
    return [Span(start, min(start + step + overlap, size)) for start in starts]


def check_tiles(tile: int, overlap: int, multiple: int) -> None:
    """Raises ValueError unless tile and overlap are on the grid and leave room for a step."""
    if multiple < 1 or tile % multiple or overlap % multiple or overlap < 0:
        raise ValueError(
            f"tile and overlap must be multiples of {multiple}, the network's grid. "
            f"Received: tile={tile}, overlap={overlap}"
        )
    least = smallest_tile(overlap, multiple)
    if tile < least:
        raise ValueError(
            f"tile must be at least {least} pixels at this overlap. "
            f"Received: tile={tile}, overlap={overlap}"
        )


def smallest_tile(overlap: int, multiple: int) -> int:
    """Returns the smallest side of a tile: no pixel is in more than two tiles of an axis."""
    return max(overlap + multiple, 3 * overlap)


def blend_weights(spans: list[Span], index: int) -> np.ndarray:
    """Returns the weight of tile `index` in each pixel of its span.

    Returns:
        float32 of the span's length, in [0, 1]; over all tiles those of a pixel sum to one.
    """
    span = spans[index]
    weights = np.ones(span.stop - span.start, np.float32)
    if index > 0:
        shared = spans[index - 1].stop - span.start
        weights[:shared] = _ramp(shared)
    if index + 1 < len(spans):
        shared = span.stop - spans[index + 1].start
        weights[len(weights) - shared :] = 1.0 - _ramp(shared)
    return weights


def _ramp(length: int) -> np.ndarray:
    """Returns weights that rise from 0 to 1 over the middle half of `length` pixels."""
    position = (np.arange(length) + 0.5) / max(length, 1)
    progress = np.clip(2.0 * position - 0.5, 0.0, 1.0)
    return (0.5 - 0.5 * np.cos(np.pi * progress)).astype(np.float32)


def tiled_bands(
    function: Callable[[Window], np.ndarray],
    shape: Sequence[int],
    tile: int,
    overlap: int,
    multiple: int,
    on_tile: TileCallback | None = None,
) -> Iterator[np.ndarray]:
    """Applies `function` tile by tile and yields finished rows of the result from the top down.

    Args:
        function: From the window of a tile, (rows, columns), to a float array [h, w, C].
        shape: Of the image, [H, W] or more.
        tile: Largest side of a tile, see `tile_spans`.
        overlap: Pixels that neighboring tiles share.
        multiple: Grid on which tiles start.
        on_tile: Called with (tiles done, tiles in all) after each tile.

    Yields:
        float32 arrays [rows, W, C] that, stacked, have H rows.

    Raises:
        ValueError: If the sizes do not fit together.
    """
    height, width = shape[:2]
    rows = tile_spans(height, tile, overlap, multiple)
    columns = tile_spans(width, tile, overlap, multiple)
    weights = [blend_weights(columns, index)[None, :, None] for index in range(len(columns))]
    unfinished: np.ndarray | None = None  # The overlap's sums of the row of tiles above.
    for row, (top, bottom) in enumerate(rows):
        band: np.ndarray | None = None
        for column, (left, right) in enumerate(columns):
            result = function((slice(top, bottom), slice(left, right)))
            if band is None:
                band = np.zeros((bottom - top, width, result.shape[2]), np.float32)
            band[:, left:right] += result * weights[column]
            if on_tile:
                on_tile(row * len(columns) + column + 1, len(rows) * len(columns))
        assert band is not None
        band *= blend_weights(rows, row)[:, None, None]
        if unfinished is not None:
            band[: len(unfinished)] += unfinished
        finished = rows[row + 1].start - top if row + 1 < len(rows) else bottom - top
        yield band[:finished]
        unfinished = band[finished:].copy()  # A view would keep the whole band.
