"""Denoises one image in one call: `mallenet_tf.denoise_image`."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from mallenet_tf.image_io.pixels import check_image
from mallenet_tf.inference.denoiser import Denoiser
from mallenet_tf.inference.noise_level import MeasuredNoise, default_weights, level_to_tell


def denoise_image(
    image: np.ndarray, sigma: float | None = None, weights: str | Path | None = None
) -> np.ndarray:
    """Denoises one image.

    Args:
        image: [H, W], [H, W, 1] or [H, W, 3] of any size; uint8, uint16, or float in [0, 1],
            where noise may reach beyond.
        sigma: Noise level in 8-bit units, 0 to 255, for noise-conditioned weights; a larger one
            denoises more strongly, and takes the noise for white. None measures the noise: that of
            a camera, which is colored and depends on brightness, or white noise.
        weights: A shipped name, a `.keras` file or a run folder, as `mallenet_tf.load_model` takes
            them. None chooses shipped ones by the noise. The last few networks stay
            loaded, as long as their files do not change.

    Returns:
        The same shape and type; floats are clipped to [0, 1].

    Raises:
        ValueError: If the image is none of these, sigma is out of range, or sigma is given for
            weights that were trained for a fixed one.
        FileNotFoundError: If there are no such weights.

    Example:
        >>> clean = mallenet_tf.denoise_image(np.asarray(PIL.Image.open("noisy.png")))
    """
    check_image(image)
    from mallenet_tf import models

    noise = MeasuredNoise([image])
    path = models.weights_path(weights or default_weights(noise, sigma)).resolve()
    denoiser = _denoiser(path, path.stat().st_mtime_ns)
    return denoiser(image, level_to_tell(denoiser.model, noise, sigma))


@functools.lru_cache(maxsize=4)
def _denoiser(path: Path, modified: int) -> Denoiser:
    """Loads a network; with `modified` a file that was written again is loaded again."""
    from mallenet_tf.models import load_model

    return Denoiser(load_model(path))
