"""Results of an evaluation as tables to read and as a CSV file."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence

from mallenet_tf.common.files import atomic_path
from mallenet_tf.evaluation.protocol import MEAN, Row

COLUMNS = (
    *("dataset", "data_hash", "weights", "weights_hash", "ensemble", "track", "sigma", "image"),
    *("height", "width", "channels", "psnr_noisy", "ssim_noisy", "psnr", "ssim", "seconds"),
    *("ssim_3d_noisy", "ssim_3d", "sigma_s", "sigma_r", "step"),
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


def _scores(row: Row) -> str:
    return (
        f"{row['psnr_noisy']:>10.2f} {row['ssim_noisy']:>6.4f}  "
        f"{row['psnr']:>13.2f} {row['ssim']:>6.4f}  {row['seconds']:>7.2f}"
    )


def format_gaussian(rows: Sequence[Row]) -> str:
    """Formats the means over images with added noise: a line per data set, track and sigma."""
    lines = [
        f"{'data set':<20} {'track':<9} {'sigma':>6}  {'noisy PSNR':>10} {'SSIM':>6}  "
        f"{'denoised PSNR':>13} {'SSIM':>6}  {'s/image':>7}"
    ]
    for row in rows:
        if row["image"] == MEAN:
            lines.append(
                f"{row['dataset']:<20} {row['track']:<9} {row['sigma']:>6g}  {_scores(row)}"
            )
    return "\n".join(lines)


def format_clips(rows: Sequence[Row]) -> str:
    """Formats the means over clips with sensor noise: a line per subset, step and noise."""
    lines = [
        f"{'subset':<20} {'step':>4} {'sigma_s':>8} {'sigma_r':>8}  {'noisy PSNR':>10} {'SSIM':>6}"
        f"  {'denoised PSNR':>13} {'SSIM':>6}  {'s/frame':>7}"
    ]
    for row in rows:
        if row["image"] == MEAN:
            lines.append(
                f"{row['dataset']:<20} {row['step']:>4} {row['sigma_s']:>8g} {row['sigma_r']:>8g}  "
                f"{_scores(row)}"
            )
    return "\n".join(lines)


def format_pairs(rows: Sequence[Row]) -> str:
    """Formats the means over pairs: per data set a line for the noisy input and for the output."""
    lines = [f"{'data set':<20} {'image':<9} {'PSNR':>6}  {'SSIM':>6}  {'3-D SSIM':>8}  s/image"]
    for row in rows:
        if row["image"] != MEAN:
            continue
        for image, suffix in (("noisy", "_noisy"), ("denoised", "")):
            seconds = f"  {row['seconds']:>7.2f}" if not suffix else ""
            lines.append(
                f"{row['dataset']:<20} {image:<9} {row[f'psnr{suffix}']:>6.2f}  "
                f"{row[f'ssim{suffix}']:>6.4f}  {row[f'ssim_3d{suffix}']:>8.4f}{seconds}"
            )
    return "\n".join(lines)
