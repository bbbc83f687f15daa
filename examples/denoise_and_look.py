"""Denoises a synthetic photograph with the shipped network and draws before and after.

    python examples/denoise_and_look.py --output=build/denoise_and_look.png

Needs no download: the image is made of leaves, the shapes that networks can be trained on.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

import mallenet_tf
from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.data.sources.leaves import leaves_canvas
from mallenet_tf.evaluation import psnr
from mallenet_tf.image_io import quantize, row_of_panels, write_image
from mallenet_tf.inference import estimate_sigma


def main(arguments: Sequence[str] | None = None) -> float:
    """Writes the picture; returns the gain in dB."""
    parser = argparse.ArgumentParser(description="Denoises a synthetic photograph.")
    parser.add_argument("--output", type=Path, default=Path("build/denoise_and_look.png"))
    parser.add_argument("--size", type=int, default=256, help="of the image, a multiple of 4")
    parser.add_argument("--sigma", type=float, default=25.0, help="noise level, 0 to 255")
    options = parser.parse_args(arguments)

    # The same seed gives the same image; the same name gives the same noise.
    clean = leaves_canvas(tf.constant([7, 1], tf.int64), options.size).numpy()
    noisy = quantize(add_gaussian_noise(clean, options.sigma, "leaves", clipped=True))

    denoised = mallenet_tf.denoise_image(noisy)  # estimates the noise level

    before, after = psnr(clean, noisy, peak=255), psnr(clean, denoised, peak=255)
    print(f"noise level: {options.sigma:g} added, {estimate_sigma(noisy):.1f} estimated")
    print(f"PSNR: {before:.2f} dB noisy, {after:.2f} dB denoised")

    titles = [f"noisy, {before:.2f} dB", f"denoised, {after:.2f} dB", "clean"]
    quarter = options.size // 4
    picture = row_of_panels([noisy, denoised, clean], titles, zoom=(quarter, quarter, quarter))
    write_image(options.output, picture)
    print(f"wrote {options.output}")
    return after - before


if __name__ == "__main__":
    main()
