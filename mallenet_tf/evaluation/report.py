"""What an evaluation leaves behind: a CSV file, a table to read, and hashes that say of what."""

from __future__ import annotations

import csv
import hashlib
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mallenet_tf.evaluation.evaluator import MEAN, Row
from mallenet_tf.files import atomic_path

COLUMNS = (
    *("dataset", "data_hash", "weights", "weights_hash", "ensemble", "track", "sigma", "image"),
    *("height", "width", "channels", "psnr_noisy", "ssim_noisy", "psnr", "ssim", "seconds"),
)


def fingerprint(paths: Iterable[str | os.PathLike]) -> str:
    """Names a set of files by their content, so that variants of a data set can be told apart.

    Folders and order do not matter; names and bytes do.

    Args:
        paths: The files.

    Returns:
        The first 16 hexadecimal digits of a SHA-256 over the sorted lines "digest name".
    """
    lines = []
    for path in map(Path, paths):
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        lines.append(f"{digest.hexdigest()} {path.name}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()[:16]


def write_csv(path: str | os.PathLike, rows: Sequence[Row]) -> None:
    """Writes rows as UTF-8 CSV with the columns `COLUMNS`; unknown and undefined values are empty.

    Means are rows whose image is "mean".
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([_cell(row.get(column)) for column in COLUMNS] for row in rows)


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def format_table(rows: Sequence[Row]) -> str:
    """The means as a table: a line per data set, track and sigma."""
    lines = [
        f"{'data set':<20} {'track':<9} {'sigma':>6}  {'noisy PSNR':>10} {'SSIM':>6}  "
        f"{'denoised PSNR':>13} {'SSIM':>6}  {'s/image':>7}"
    ]
    for row in rows:
        if row["image"] == MEAN:
            lines.append(
                f"{row['dataset']:<20} {row['track']:<9} {row['sigma']:>6g}  "
                f"{row['psnr_noisy']:>10.2f} {row['ssim_noisy']:>6.4f}  "
                f"{row['psnr']:>13.2f} {row['ssim']:>6.4f}  {row['seconds']:>7.2f}"
            )
    return "\n".join(lines)
