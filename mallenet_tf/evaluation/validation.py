"""Scoring a network on images during its training, with the noise and PSNR of the benchmarks.

A validation and a training run know each other by two calls: `scorer(model)` loads the images and
returns a function that scores the model's current weights. The images go through
`inference.Denoiser`, so that a validation's PSNR is that of what users get.
"""

import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from mallenet_tf.models import DenoisingModel as Model

# From a model to (PSNR in dB by label, picture by name); a picture is uint8 [H', W', 3]: noisy,
# denoised and clean side by side.
Score = Callable[[Model], tuple[dict[str, float], dict[str, np.ndarray]]]


class Validator(Protocol):
    """What a training run asks of a validation."""

    def scorer(self, model: Model) -> Score:
        """Loads the images and returns the function that scores the model's current weights."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """A noisy image, or frames of a video, and the clean image that is wanted.

    Attributes:
        name: Name of its picture.
        noisy: The frames that the network takes, the oldest first; one for an image. Each is uint8,
            or float32 in [0, 1] plus noise, [H, W, C].
        clean: The clean image or middle frame, uint8 [H, W, C].
        sigma: Noise level that the network is told, in 8-bit units; None if it takes none, if it
            is estimated, or if there is a map.
        noise_level_map: Noise level maps, float32 [H, W, P], in place of sigma.
    """

    name: str
    noisy: Sequence[np.ndarray]
    clean: np.ndarray
    sigma: float | None = None
    noise_level_map: np.ndarray | None = None


def denoise_sample(denoise: Denoiser, sample: Sample) -> np.ndarray:
    """Denoises a sample to 8 bits."""
    denoised = denoise.denoise_window(sample.noisy, sample.sigma, sample.noise_level_map)
    return denoised if denoised.dtype == np.uint8 else quantize(denoised)


def make_score(
    model: Model, samples: Mapping[str, Callable[[], Iterator[Sample]]], pictures: int
) -> Score:
    """Makes the function that scores a model on samples.

    Args:
        model: The network.
        samples: By label, what makes the samples, the same at each call.
        pictures: How many samples of each label to show.
    """
    denoise = Denoiser(model)  # reads the model's weights at each call

    def score(model: Model) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        scores, shown = {}, {}
        for label, make_samples in samples.items():
            values = []
            for index, sample in enumerate(make_samples()):
                denoised = denoise_sample(denoise, sample)
                values.append(psnr(sample.clean, denoised, 255))
                if index < pictures:
                    noisy = sample.noisy[len(sample.noisy) // 2]
                    shown[sample.name] = side_by_side(noisy, denoised, sample.clean)
            scores[label] = mean_psnr(values)
        return scores, shown

    return score


def mean_psnr(values: Sequence[float]) -> float:
    """Averages PSNRs in dB, each counted as 100 at most.

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
    """Mean PSNR over photographs with white Gaussian noise, for each noise level.

    Attributes:
        patterns: Folders, globs or files, as `image_io.list_images` takes them.
        sigmas: Noise levels in 8-bit units, told to networks that take one.
        limit: Number of images to use, the first ones; None for all.
        pictures: Number of images to show side by side in TensorBoard.
    """

    patterns: str | Sequence[str | os.PathLike]
    sigmas: Sequence[float] = (25.0,)
    limit: int | None = None
    pictures: int = 2

    def __post_init__(self) -> None:
        check_sigmas(self.sigmas)
        _check_files(self.patterns, self.limit, self.pictures)

    def scorer(self, model: Model) -> Score:
        """See `Validator`; the labels are "sigma_25" and so on."""
        found = load_images(self.patterns, model.image_channels)
        images = list(itertools.islice(found, self.limit))

        def samples(sigma: float) -> Iterator[Sample]:
            told = sigma if model.noise_conditioned else None
            for name, clean in images:
                noisy = add_gaussian_noise(clean, sigma, name)
                yield Sample(f"{name}_sigma_{sigma:g}", [noisy], clean, told)

        labels = {f"sigma_{sigma:g}": functools.partial(samples, sigma) for sigma in self.sigmas}
        return make_score(model, labels, self.pictures)


@dataclasses.dataclass(frozen=True)
class NoiseValidation:
    """Mean PSNR over photographs with the noise of a training noise model.

    The network gets the noise model's own noise level maps, where `Validation` tells it sigma. An
    image's noise is the same each time.

    Attributes:
        patterns: Folders, globs or files, as `image_io.list_images` takes them.
        noise: Noise model.
        limit: Number of images to use, the first ones; None for all.
        pictures: Number of images to show side by side in TensorBoard.
    """

    patterns: str | Sequence[str | os.PathLike]
    noise: NoiseModel
    limit: int | None = None
    pictures: int = 2

    def __post_init__(self) -> None:
        check_noise(self.noise)
        _check_files(self.patterns, self.limit, self.pictures)

    def scorer(self, model: Model) -> Score:
        """See `Validator`; the only label is "noise"."""
        from mallenet_tf.data.random_numbers import derive_key, sample_seed  # imports TensorFlow

        key = derive_key(0, "validation")
        found = load_images(self.patterns, model.image_channels)
        images = list(itertools.islice(found, self.limit))

        def samples() -> Iterator[Sample]:
            for index, (name, clean) in enumerate(images):
                unit = clean / np.float32(255.0)
                stacked = self.noise.apply(unit, sample_seed(key, index)).numpy()
                yield split_sample(name, stacked, clean, frames=1)

        return make_score(model, {"noise": samples}, self.pictures)


def split_sample(name: str, stacked: np.ndarray, clean: np.ndarray, frames: int) -> Sample:
    """Makes a sample of what a noise model returns: frames and noise level maps, stacked."""
    channels = clean.shape[2]
    noisy = [stacked[..., i * channels : (i + 1) * channels] for i in range(frames)]
    maps = stacked[..., frames * channels :]
    return Sample(name, noisy, clean, noise_level_map=maps if maps.shape[2] else None)


@dataclasses.dataclass(frozen=True)
class PairValidation:
    """Mean PSNR over pairs of a noisy and a clean photograph.

    A noise-conditioned network gets the level estimated from the noisy image.

    Attributes:
        patterns: Noisy images: folders, globs or files, as `image_io.list_images` takes them.
        rename: Where the clean image of a noisy one is, see `image_io.list_pairs`.
        limit: Number of pairs to use, the first ones; None for all.
        pictures: Number of pairs to show side by side in TensorBoard.
    """

    patterns: str | Sequence[str | os.PathLike]
    rename: tuple[str, str] = ("noisy", "clean")
    limit: int | None = None
    pictures: int = 2

    def __post_init__(self) -> None:
        _check_files(self.patterns, self.limit, self.pictures)

    def scorer(self, model: Model) -> Score:
        """See `Validator`; the only label is "pairs"."""
        found = load_pairs(self.patterns, self.rename, model.image_channels)
        return _score_pairs(model, list(itertools.islice(found, self.limit)), self.pictures)


@dataclasses.dataclass(frozen=True)
class SiddValidation:
    """Mean PSNR over blocks of SIDD's validation set, evenly spread over its 40 images.

    Attributes:
        folder: Folder with `ValidationNoisyBlocksSrgb.mat` and `ValidationGtBlocksSrgb.mat`.
        limit: Number of the 1,280 blocks to use; None for all.
        pictures: Number of blocks to show side by side in TensorBoard.
    """

    folder: str | os.PathLike
    limit: int | None = 80
    pictures: int = 2

    def __post_init__(self) -> None:
        check_limit(self.limit)
        check_integers(0, pictures=self.pictures)

    def scorer(self, model: Model) -> Score:
        """See `Validator`; the only label is "pairs"."""
        from mallenet_tf.evaluation.real_noise_benchmark import sidd_pairs  # imports TensorFlow

        pairs = sidd_pairs(Path(self.folder))
        count = len(pairs) if self.limit is None else min(self.limit, len(pairs))
        chosen = [pairs[index * len(pairs) // count] for index in range(count)]
        return _score_pairs(model, chosen, self.pictures)


def _score_pairs(
    model: Model, pairs: Sequence[tuple[str, np.ndarray, np.ndarray]], pictures: int
) -> Score:
    def samples() -> Iterator[Sample]:
        for name, noisy, clean in pairs:
            yield Sample(name, [noisy], clean)

    return make_score(model, {"pairs": samples}, pictures)
