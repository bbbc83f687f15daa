"""Scoring a network during its training, with the evaluation's noise and PSNR."""

import dataclasses
import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from mallenet_tf.common.checks import (
    check_integers,
    check_limit,
    check_noise,
    check_patterns,
    check_sigmas,
)
from mallenet_tf.data import NoiseModel, add_gaussian_noise
from mallenet_tf.evaluation import psnr, side_by_side
from mallenet_tf.image_io import load_images, load_pairs, quantize
from mallenet_tf.inference import Denoiser
from mallenet_tf.inference.compiled_network import compile_network
from mallenet_tf.inference.padding import crop, pad_to_multiple
from mallenet_tf.models import DenoisingModel as Model


class Scorable(Protocol):
    """What an experiment asks of a validation."""

    def scorer(self, model: Model) -> Callable:
        """The function that scores `model`'s current weights; see `Validation.scorer`."""


def mean_psnr(values: Sequence[float]) -> float:
    """Mean in dB, with each value counted as 100 at most.

    An image without error has an infinite PSNR; the mean would be infinite too, and no later
    checkpoint better.
    """
    return float(np.mean(np.minimum(values, 100.0)))


def _check_files(patterns: object, limit: object, pictures: object) -> None:
    check_patterns(patterns)
    check_limit(limit)
    check_integers(0, pictures=pictures)


@dataclasses.dataclass(frozen=True)
class Validation:
    """Mean PSNR, see `mean_psnr`, over some photographs at each noise level.

    Attributes:
        patterns: folders, globs or files, as `image_io.list_images` takes them.
        sigmas: noise levels in 8-bit units.
        limit: use the first so many images; None for all.
        pictures: how many images to show side by side in TensorBoard.
    """

    patterns: str | Sequence[str | os.PathLike]
    sigmas: Sequence[float] = (25.0,)
    limit: int | None = None
    pictures: int = 2

    def __post_init__(self) -> None:
        check_sigmas(self.sigmas)
        _check_files(self.patterns, self.limit, self.pictures)

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
                    denoised = quantize(answer)
                    values.append(psnr(image, denoised, 255))
                    if index < self.pictures:
                        pictures[f"{name}_sigma_{sigma:g}"] = side_by_side(noisy, denoised, image)
                scores[f"sigma_{sigma:g}"] = mean_psnr(values)
            return scores, pictures

        return score


@dataclasses.dataclass(frozen=True)
class NoiseValidation:
    """Mean PSNR over photographs with the noise of a training noise model and its level maps.

    For noise models whose noise level maps are not what `Validation` gives a network.
    An image's noise is the same each time.

    Attributes:
        patterns: folders, globs or files, as `image_io.list_images` takes them.
        noise: the noise model.
        limit: use the first so many images; None for all.
        pictures: how many images to show side by side in TensorBoard.
    """

    patterns: str | Sequence[str | os.PathLike]
    noise: NoiseModel
    limit: int | None = None
    pictures: int = 2

    def __post_init__(self) -> None:
        check_noise(self.noise)
        _check_files(self.patterns, self.limit, self.pictures)

    def scorer(self, model: Model):
        """As `Validation.scorer`; the one label is "noise"."""
        from mallenet_tf.data.random_numbers import derive_key, sample_seed  # brings TensorFlow

        channels = model.image_channels
        key = derive_key(0, "validation")
        found = load_images(self.patterns, channels)
        images = list(itertools.islice(found, self.limit))
        network = compile_network(model)

        def score(model: Model):
            values, pictures = [], {}
            for index, (name, image) in enumerate(images):
                given = self.noise.apply(image / np.float32(255.0), sample_seed(key, index)).numpy()
                batch = pad_to_multiple(given, model.padding_multiple)[None]
                denoised = quantize(crop(network(batch)[0], *image.shape[:2]))
                values.append(psnr(image, denoised, 255))
                if index < self.pictures:
                    pictures[name] = side_by_side(given[..., :channels], denoised, image)
            return {"noise": mean_psnr(values)}, pictures

        return score


@dataclasses.dataclass(frozen=True)
class PairValidation:
    """Mean PSNR over pairs of a noisy and a clean photograph.

    A noise-conditioned network gets the level estimated from the noisy image.

    Attributes:
        patterns: the noisy images: folders, globs or files, as `image_io.list_images` takes them.
        rename: where the clean image of a noisy one is, see `image_io.list_pairs`.
        limit: use the first so many pairs; None for all.
        pictures: how many pairs to show side by side in TensorBoard.
    """

    patterns: str | Sequence[str | os.PathLike]
    rename: tuple[str, str] = ("noisy", "clean")
    limit: int | None = None
    pictures: int = 2

    def __post_init__(self) -> None:
        _check_files(self.patterns, self.limit, self.pictures)

    def scorer(self, model: Model):
        """As `Validation.scorer`; the one label is "pairs"."""
        found = load_pairs(self.patterns, self.rename, model.image_channels)
        return _pair_scorer(model, list(itertools.islice(found, self.limit)), self.pictures)


@dataclasses.dataclass(frozen=True)
class SiddValidation:
    """Mean PSNR over blocks of SIDD's validation set, evenly spread over its 40 images.

    Attributes:
        folder: holds `ValidationNoisyBlocksSrgb.mat` and `ValidationGtBlocksSrgb.mat`.
        limit: use so many of the 1,280 blocks; None for all.
        pictures: how many blocks to show side by side in TensorBoard.
    """

    folder: str | os.PathLike
    limit: int | None = 80
    pictures: int = 2

    def __post_init__(self) -> None:
        check_limit(self.limit)
        check_integers(0, pictures=self.pictures)

    def scorer(self, model: Model):
        """As `Validation.scorer`; the one label is "pairs"."""
        from mallenet_tf.evaluation.real_noise_benchmark import sidd_pairs  # brings TensorFlow

        pairs = sidd_pairs(Path(self.folder))
        count = len(pairs) if self.limit is None else min(self.limit, len(pairs))
        chosen = [pairs[index * len(pairs) // count] for index in range(count)]
        return _pair_scorer(model, chosen, self.pictures)


def _pair_scorer(model: Model, pairs: Sequence[tuple[str, np.ndarray, np.ndarray]], shown: int):
    denoise = Denoiser(model)  # sees the weights as they are when it is called

    def score(model: Model):
        values, pictures = [], {}
        for index, (name, noisy, clean) in enumerate(pairs):
            denoised = denoise(noisy)
            values.append(psnr(clean, denoised, 255))
            if index < shown:
                pictures[name] = side_by_side(noisy, denoised, clean)
        return {"pairs": mean_psnr(values)}, pictures

    return score
