"""Scoring a network during its training, with the evaluation's noise and PSNR."""

import dataclasses
import os
from collections.abc import Sequence

import keras
import numpy as np

from mallenet_tf.data import add_gaussian_noise, load_images
from mallenet_tf.evaluation.metrics import psnr, quantise
from mallenet_tf.inference.padding import crop, pad_to_multiple
from mallenet_tf.models import Denoiser


@dataclasses.dataclass(frozen=True)
class Validation:
    """Mean PSNR over some photographs at each noise level.

    Attributes:
        patterns: folders, globs or files, as `data.list_images` takes them.
        sigmas: noise levels in 8-bit units.
        limit: use the first so many images; None for all.
        pictures: how many images to show side by side in TensorBoard.
    """

    patterns: str | Sequence[str | os.PathLike]
    sigmas: Sequence[float] = (25.0,)
    limit: int | None = None
    pictures: int = 2

    def scorer(self, model: Denoiser):
        """Loads the images and returns the function that scores `model`'s current weights.

        Returns:
            A function of the model to (PSNR per "sigma_N", picture per "IMAGE_sigma_N"); a
            picture is uint8 [H, 3 * W, 3]: noisy, denoised, clean.
        """
        images = list(load_images(self.patterns, model.image_channels))[: self.limit]

        def score(model: Denoiser):
            scores, pictures = {}, {}
            for sigma in self.sigmas:
                values = []
                for index, (name, image) in enumerate(images):
                    clean = image / 255.0
                    noisy = add_gaussian_noise(image, sigma, name)
                    denoised = quantise(_denoise(model, noisy, sigma))
                    values.append(psnr(image, denoised, 255))
                    if index < self.pictures:
                        triple = [quantise(noisy), denoised, quantise(clean)]
                        pictures[f"{name}_sigma_{sigma:g}"] = _as_colour(np.hstack(triple))
                scores[f"sigma_{sigma:g}"] = float(np.mean(values))
            return scores, pictures

        return score


def _denoise(model: Denoiser, noisy: np.ndarray, sigma: float) -> np.ndarray:
    height, width, _ = noisy.shape
    if model.noise_conditioned:
        plane = np.full_like(noisy[..., :1], sigma / 255.0)
        noisy = np.concatenate([noisy, plane], axis=-1)
    padded = pad_to_multiple(noisy, model.size_multiple)
    output = keras.ops.convert_to_numpy(model(padded[None], training=False))
    return crop(output[0], height, width)


def _as_colour(image: np.ndarray) -> np.ndarray:
    return np.broadcast_to(image, (*image.shape[:2], 3))
