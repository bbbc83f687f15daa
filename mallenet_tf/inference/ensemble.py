"""Self-ensemble: the mean of a denoiser's results over the eight symmetries of the square.

Timofte et al. 2016, "Seven ways to improve example-based single image super resolution",
section 3.4: flip or rotate the input, denoise, undo the flip or rotation, average.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

BatchFunction = Callable[[np.ndarray], np.ndarray]


def self_ensemble(function: BatchFunction) -> BatchFunction:
    """Wraps a function of [N, H, W, C] batches; takes eight times as long.

    Where the function commutes with flips and rotations, the result is the same.
    """

    def ensembled(batch: np.ndarray) -> np.ndarray:
        total: np.ndarray | None = None
        for turns in range(4):
            for mirrored in (False, True):
                result = _undo(function(_transform(batch, turns, mirrored)), turns, mirrored)
                # Summed one by one, so that eight results are never in memory at once.
                total = result.astype(np.float64) if total is None else total + result
        assert total is not None
        return (total / 8.0).astype(batch.dtype)

    return ensembled


def _transform(batch: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    if mirrored:
        batch = batch[:, :, ::-1]
    return np.ascontiguousarray(np.rot90(batch, turns, axes=(1, 2)))


def _undo(batch: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    batch = np.rot90(batch, -turns, axes=(1, 2))
    return batch[:, :, ::-1] if mirrored else batch
