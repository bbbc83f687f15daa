"""Denoising many files one after the other; one that fails does not stop the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.formats import conversion_warnings
from mallenet_tf.image_io.image_reader import read_picture
from mallenet_tf.image_io.image_writer import write_image, write_picture
from mallenet_tf.image_io.picture import Picture
from mallenet_tf.inference import linear_light, memory
from mallenet_tf.inference.batch_plan import Job
from mallenet_tf.inference.denoiser import Denoiser
from mallenet_tf.inference.noise_level import resolve_level
from mallenet_tf.inference.views import Region, compare, show_kernels

TileCallback = Callable[[Job, int, int], None]


@dataclass(frozen=True)
class Settings:
    """What is done to every file.

    Attributes:
        sigma: Standard deviation of the noise in 8-bit units; None estimates it from each image.
            Networks for a fixed sigma are told neither.
        overwrite: Replace outputs that exist; otherwise they are skipped.
        max_memory: Bytes that the process may take, libraries included; None for no limit.
        compare: Write a picture of before and after beside each result.
        kernels_at: Write a picture of the kernels beside each result, with the kernels at these
            places, (x, y) in pixels; None writes none.
    """

    sigma: float | None = None
    overwrite: bool = False
    max_memory: int | None = None
    compare: bool = False
    kernels_at: Sequence[tuple[int, int]] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: The job.
        width: Of the image, in pixels.
        height: Of the image, in pixels.
        sigma: What the network was told; None if it takes no sigma.
        estimated_sigma: What the image itself suggests; None if sigma was given.
        seconds: For reading, denoising and writing.
        skipped: Whether the output was there already.
        error: Why it failed; None if it did not.
        notes: What the result lacks or what was converted, in words.
    """

    job: Job
    width: int = 0
    height: int = 0
    sigma: float | None = None
    estimated_sigma: float | None = None
    seconds: float = 0.0
    skipped: bool = False
    error: str | None = None
    notes: tuple[str, ...] = ()


def run_jobs(
    jobs: Sequence[Job],
    choose: Callable[[np.ndarray], Denoiser],
    settings: Settings,
    on_tile: TileCallback | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Denoises files.

    Args:
        jobs: From `plan_jobs`.
        choose: Gives the network for an image [H, W, C].
        settings: What is done to each.
        on_tile: Called with the job, tiles done and tiles in all.
        on_outcome: Called after each job.

    Returns:
        An outcome for each job.
    """
    outcomes = []
    for job in jobs:
        outcome = _run(job, choose, settings, on_tile)
        outcomes.append(outcome)
        if on_outcome:
            on_outcome(outcome)
    return outcomes


def _run(
    job: Job,
    choose: Callable[[np.ndarray], Denoiser],
    settings: Settings,
    on_tile: TileCallback | None,
) -> Outcome:
    if job.target.exists() and not settings.overwrite:
        return Outcome(job, skipped=True)
    try:
        return _denoise(job, choose, settings, on_tile)
    except (UserError, ValueError, OSError) as error:
        return Outcome(job, error=str(error) or type(error).__name__)
    except Exception as error:  # a defect, or too little memory: thousands of files must go on
        return Outcome(job, error=f"{type(error).__name__}: {error}")


def _denoise(
    job: Job,
    choose: Callable[[np.ndarray], Denoiser],
    settings: Settings,
    on_tile: TileCallback | None,
) -> Outcome:
    start = time.perf_counter()
    limit = settings.max_memory
    picture = read_picture(job.source, None if limit is None else limit - memory.resident())
    notes = picture.warnings + conversion_warnings(job.target, picture)
    pixels, light = picture.pixels, picture.linear
    if light and linear_light.is_beyond_white(pixels):
        raise UserError(
            "In a float image 1 is white, and most of this one is brighter; divide it by 255 or by "
            f"65535. Received: values up to {np.nanmax(pixels):g} in {str(job.source)!r}"
        )
    denoiser = choose(pixels)
    level = resolve_level(denoiser.model, [pixels], settings.sigma, light)
    region = Region(pixels.shape)
    before = region.of(pixels) if settings.compare else None
    if settings.kernels_at is not None:
        kernels = _kernel_picture(denoiser, picture, level.sigma, settings.kernels_at)
        write_image(_beside(job.target, "kernels"), kernels)
    denoiser(
        pixels,
        level.sigma,
        on_tile=lambda done, total: on_tile(job, done, total) if on_tile else None,
        linear_light=light,
        out=pixels,
    )
    if before is not None:
        write_image(_beside(job.target, "compare"), compare(before, region.of(pixels), light))
    write_picture(job.target, picture)  # last: what is there is complete
    return Outcome(
        job,
        width=pixels.shape[1],
        height=pixels.shape[0],
        sigma=level.sigma,
        estimated_sigma=level.estimated,
        seconds=time.perf_counter() - start,
        notes=tuple(notes),
    )


def _kernel_picture(
    denoiser: Denoiser,
    picture: Picture,
    level: float | None,
    places: Sequence[tuple[int, int]],
) -> np.ndarray:
    pixels = picture.pixels
    height, width = pixels.shape[:2]
    for x, y in places:
        if not (0 <= x < width and 0 <= y < height):
            raise UserError(
                f"The kernels to show are inside the image, {width} x {height} pixels. "
                f"Received: --show_kernels={x},{y}"
            )
    region = Region(pixels.shape, places[0])
    inside = [(x - region.left, y - region.top) for x, y in places]
    return show_kernels(denoiser, region.of(pixels), level, picture.linear, inside)


def _beside(target: Path, what: str) -> Path:
    return target.with_name(f"{target.name}.{what}.png")
