"""Denoises one image file."""

from __future__ import annotations

import os
import time

from mallenet_tf.common.files import unchanging
from mallenet_tf.common.progress import Progress, print_line
from mallenet_tf.common.text import printable
from mallenet_tf.image_io.formats import conversion_warnings
from mallenet_tf.image_io.image_reader import read_picture
from mallenet_tf.image_io.image_writer import write_image, write_picture
from mallenet_tf.image_io.picture import Picture
from mallenet_tf.image_io.pixels import is_bilevel
from mallenet_tf.inference.batch_plan import Job
from mallenet_tf.inference.linear_light import check_white
from mallenet_tf.inference.networks import Networks
from mallenet_tf.inference.noise_level import MeasuredNoise, resolve_level
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
    with unchanging(job.source):
        original = read_picture(
            job.source, networks.memory_left(), options.linear, options.max_pixels
        )
    warnings = original.warnings + conversion_warnings(job.target, original)
    if options.sigma is None and is_bilevel(original.pixels):
        return _pass_through(job, original, options, warnings)
    if warnings:  # Before the work, so that it can be stopped.
        print_line("\n".join([printable(job.source), *warning_lines(warnings)]), options.stream)
    picture = fill_hidden(original)
    pixels, linear = picture.pixels, picture.linear
    if linear and original.stored_type is None:
        check_white(pixels)
    noise = MeasuredNoise([pixels[visible_part(original)]], linear)
    denoiser = networks.choose(noise)
    start = time.perf_counter()
    level = resolve_level(denoiser.model, noise, options.sigma)
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
    _write(job, restore_hidden(picture, original), options)  # Last: a result that exists is whole.
    return Outcome(
        job,
        width=pixels.shape[1],
        height=pixels.shape[0],
        level=level,
        seconds=time.perf_counter() - start,
        warnings=tuple(warnings),
    )


def _pass_through(job: Job, picture: Picture, options: Options, warnings: list[str]) -> Outcome:
    """Writes a picture that holds no noise as it is."""
    start = time.perf_counter()
    _write(job, picture, options)
    note = "black and white alone, as in scans of 1 bit and halftones: written without denoising"
    return Outcome(
        job,
        width=picture.pixels.shape[1],
        height=picture.pixels.shape[0],
        seconds=time.perf_counter() - start,
        warnings=(*warnings, note),
    )


def _write(job: Job, picture: Picture, options: Options) -> None:
    times = job.source.stat()
    write_picture(job.target, picture, options.background)
    if options.keep_times:
        os.utime(job.target, ns=(times.st_atime_ns, times.st_mtime_ns))
