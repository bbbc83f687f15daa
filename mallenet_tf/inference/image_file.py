"""Denoises one image file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.files import unchanging
from mallenet_tf.common.progress import Progress, print_line
from mallenet_tf.common.text import printable
from mallenet_tf.image_io.formats import conversion_warnings, format_of
from mallenet_tf.image_io.image_reader import list_pages, read_picture
from mallenet_tf.image_io.image_writer import write_image, write_pages, write_picture
from mallenet_tf.image_io.picture import Picture
from mallenet_tf.inference.batch_plan import Job
from mallenet_tf.inference.linear_light import check_white
from mallenet_tf.inference.networks import Networks
from mallenet_tf.inference.noise_level import MeasuredNoise, NoiseLevel, resolve_level
from mallenet_tf.inference.options import Options
from mallenet_tf.inference.outcome import Outcome, warning_lines
from mallenet_tf.inference.transparency import fill_hidden, restore_hidden, visible_part
from mallenet_tf.inference.views import Region, compare, show_kernels


def denoise_image_file(job: Job, networks: Networks, options: Options) -> Outcome:
    """Denoises an image file; alpha and metadata are kept as far as the output's format holds them.

    Args:
        job: The file and where the result goes.
        networks: Where its network comes from.
        options: What is done to it.

    Raises:
        UserError, ValueError, OSError: If it cannot be read, denoised or written. A result is
            written whole or not at all.
    """
    start, times = time.perf_counter(), job.source.stat()
    with unchanging(job.source):
        pages = list_pages(job.source)
    if len(pages) > 1:
        outcome = _denoise_pages(job, pages, networks, options)
    else:
        original, warnings = _read(job, networks, options, None)
        _announce(job, warnings, options)
        start = time.perf_counter()
        result, level = _denoise(original, job, networks, options)
        write_picture(job.target, result, options.background)  # Last: one that exists is whole.
        height, width, _ = result.samples.shape
        outcome = Outcome(job, width, height, level=level, warnings=tuple(warnings))
    if options.keep_times:
        os.utime(job.target, ns=(times.st_atime_ns, times.st_mtime_ns))
    return replace(outcome, seconds=time.perf_counter() - start)


def _denoise_pages(
    job: Job, numbers: Sequence[int], networks: Networks, options: Options
) -> Outcome:
    """Denoises the pages of a TIFF file, each as an image of its own."""
    if format_of(job.target) != "TIFF":
        raise UserError(
            f"The image holds {len(numbers)} pages, and only TIFF holds several; write .tif. "
            f"Received: {str(job.source)!r}"
        )
    options.refuse("a file of several pages", "compare", "show_kernels")
    warnings: dict[str, None] = {}
    levels: list[NoiseLevel] = []
    sizes = []

    def pages() -> Iterator[Picture]:
        for page in numbers:
            original, found = _read(job, networks, options, page)
            _announce(job, [text for text in found if text not in warnings], options)
            result, level = _denoise(original, job, networks, options)
            levels.append(level)
            sizes.append(result.samples.shape)
            warnings.update(dict.fromkeys(found))
            yield result

    write_pages(job.target, pages())
    height, width, _ = sizes[0]
    level = max(levels, key=lambda level: level.sigma or 0.0)
    return Outcome(job, width, height, len(numbers), level=level, warnings=tuple(warnings))


def _read(
    job: Job, networks: Networks, options: Options, page: int | None
) -> tuple[Picture, list[str]]:
    """Reads a picture; returns it with its conversion warnings."""
    with unchanging(job.source):
        picture = read_picture(
            job.source, networks.memory_left(), options.linear, options.max_pixels, page
        )
    return picture, picture.warnings + conversion_warnings(job.target, picture)


def _announce(job: Job, warnings: Sequence[str], options: Options) -> None:
    """Prints warnings before the work, so that it can be stopped."""
    if warnings:
        print_line("\n".join([printable(job.source), *warning_lines(warnings)]), options.stream)


def _denoise(
    original: Picture, job: Job, networks: Networks, options: Options
) -> tuple[Picture, NoiseLevel]:
    """Denoises a picture and draws what is asked for."""
    picture = fill_hidden(original)
    pixels, linear = picture.pixels, picture.linear
    if linear and original.stored_type is None:
        check_white(pixels)
    noise = MeasuredNoise([pixels[visible_part(original)]], linear)
    denoiser = networks.choose(noise)
    level = resolve_level(denoiser.model, noise, options.sigma)
    del noise  # And the copy that it measured.
    pictures = {}  # Beside the result, by name.
    if options.show_kernels is not None:
        pictures["kernels"] = show_kernels(
            denoiser, pixels, level.sigma, linear, options.show_kernels
        )
    region = Region(pixels.shape)
    before = region.of(pixels) if options.compare else None
    with Progress(job.source.name, unit="tile", keep=False) as on_tile:
        denoiser(pixels, level.sigma, on_tile=on_tile, linear_light=linear, out=pixels)
    if before is not None:
        pictures["compare"] = compare(before, region.of(pixels), linear)
    for name, drawn in pictures.items():
        write_image(job.target.with_name(f"{job.target.name}.{name}.png"), drawn)
    return restore_hidden(picture, original), level
