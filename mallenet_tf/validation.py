"""Scoring a network during its training, with the evaluation's noise and PSNR."""

import dataclasses
import itertools
import os
from collections.abc import Sequence

import numpy as np

from mallenet_tf.data import add_gaussian_noise, load_images
from mallenet_tf.evaluation import psnr, quantise, side_by_side
from mallenet_tf.inference import Denoiser
from mallenet_tf.models import Denoiser as Model


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

    def scorer(self, model: Model):
        """Loads the images and returns the function that scores `model`'s current weights.

        Returns:
            A function of the model to (PSNR per "sigma_N", picture per "IMAGE_sigma_N"); a
            picture is uint8 [H', W', 3]: noisy, denoised and clean side by side.
        """
        found = load_images(self.patterns, model.image_channels)
        images = list(itertools.islice(found, self.limit))
        denoise = Denoiser(model)  # sees the weights as they are when it is called

        def score(model: Model):
            scores, pictures = {}, {}
            for sigma in self.sigmas:
                values = []
                for index, (name, image) in enumerate(images):
                    noisy = add_gaussian_noise(image, sigma, name)
                    answer = denoise(noisy, sigma if model.noise_conditioned else None)
                    denoised = quantise(answer)
                    values.append(psnr(image, denoised, 255))
                    if index < self.pictures:
                        pictures[f"{name}_sigma_{sigma:g}"] = side_by_side(noisy, denoised, image)
                scores[f"sigma_{sigma:g}"] = float(np.mean(values))
            return scores, pictures

        return score
