"""Denoises one image file."""

from __future__ import annotations

import time

from mallenet_tf.common.files import unchanging
from mallenet_tf.common.progress import Progress
from mallenet_tf.image_io.formats import conversion_warnings
from mallenet_tf.image_io.image_reader import read_picture
from mallenet_tf.image_io.image_writer import write_image, write_picture
from mallenet_tf.inference.batch_plan import Job
from mallenet_tf.inference.linear_light import check_white
from mallenet_tf.inference.networks import Networks
from mallenet_tf.inference.noise_level import MeasuredNoise, resolve_level
from mallenet_tf.inference.options import Options
from mallenet_tf.inference.outcome import Outcome
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
        picture = read_picture(job.source, networks.memory_left(), options.linear)
    warnings = picture.warnings + conversion_warnings(job.target, picture)
    pixels, linear = picture.pixels, picture.linear
    if linear:
        check_white(pixels)
    noise = MeasuredNoise([pixels], linear)
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
    write_picture(job.target, picture)  # Last: a result that exists is complete.
    return Outcome(
        job,
        width=pixels.shape[1],
        height=pixels.shape[0],
        level=level,
        seconds=time.perf_counter() - start,
        warnings=tuple(warnings),
    )
