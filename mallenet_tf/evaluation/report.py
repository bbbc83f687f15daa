"""What an evaluation leaves behind: a CSV file and a table to read."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence

from mallenet_tf.common.files import atomic_path
from mallenet_tf.evaluation.evaluator import MEAN, Row

COLUMNS = (
    *("dataset", "data_hash", "weights", "weights_hash", "ensemble", "track", "sigma", "image"),
    *("height", "width", "channels", "psnr_noisy", "ssim_noisy", "psnr", "ssim", "seconds"),
    *("ssim_3d_noisy", "ssim_3d"),
)


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
