"""What the benchmarks share: the network that is scored, and the report of its scores."""

from collections.abc import Sequence
from pathlib import Path

from mallenet_tf.common.errors import UserError, user_input, user_output
from mallenet_tf.common.files import fingerprint
from mallenet_tf.evaluation.protocol import Row
from mallenet_tf.evaluation.report import write_csv
from mallenet_tf.inference.denoiser import DEFAULT_TILE, Denoiser
from mallenet_tf.inference.noise_level import check_sigma
from mallenet_tf.models import (
    DEFAULT_GRAY_WEIGHTS,
    DEFAULT_PHOTO_WEIGHTS,
    DEFAULT_WEIGHTS,
    load_model,
    weights_path,
)

# Those that `denoise` chooses from.
DEFAULTS = (DEFAULT_PHOTO_WEIGHTS, DEFAULT_WEIGHTS, DEFAULT_GRAY_WEIGHTS)


def load_denoiser(
    weights: str | Path, tile: int = DEFAULT_TILE, ensemble: bool = False
) -> Denoiser:
    """Loads a network for single images.

    Args:
        weights: Weights, as `models.load_model` takes them.
        tile: Largest side denoised at once; 0 for no limit.
        ensemble: Whether to average over flips and rotations.

    Raises:
        UserError: If there are no such weights, they denoise videos or take several noise level
            maps, or the tile does not fit.
    """
    with user_input():
        denoiser = Denoiser(load_model(weights), tile=tile, ensemble=ensemble)
        check_sigma(denoiser.model, None)
    if denoiser.frames > 1:
        raise UserError(
            "Benchmarks take networks for single images. "
            f"Received: {weights}, which denoises from {denoiser.frames} frames"
        )
    return denoiser


def label_rows(
    rows: Sequence[Row],
    weights: str | Path | None,
    data_hash: str | None,
    ensemble: bool,
    baseline: str | None = None,
) -> list[Row]:
    """Adds to the rows of a data set which data, weights and method they are results of.

    Args:
        rows: Rows of `evaluation.protocol`.
        weights: Weights, as `models.load_model` takes them; None for the default ones.
        data_hash: `common.files.fingerprint` of the data set's files.
        ensemble: Whether the results are averages over flips and rotations.
        baseline: Method that has no weights.
    """
    files = DEFAULTS if weights is None else [weights]
    labels = {
        "data_hash": data_hash,
        "weights": baseline or ("default" if weights is None else str(weights)),
        "weights_hash": None if baseline else fingerprint(map(weights_path, files)),
        "ensemble": ensemble,
    }
    return [{**labels, **row} for row in rows]


def report_rows(rows: Sequence[Row], table: str, output: Path | None) -> None:
    """Prints a table of rows, and writes them to a CSV file if there is a path for it.

    Raises:
        UserError: If the file cannot be written.
    """
    print(table)
    if output:
        with user_output(output):
            write_csv(output, rows)
        print(f"Wrote {output}")
