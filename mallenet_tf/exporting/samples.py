"""Noisy images that exported networks are calibrated and checked on."""

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.data.sources.leaves import leaves_canvas
from mallenet_tf.image_io import list_images, load_images
from mallenet_tf.models import DenoisingModel

SAMPLE_SIDE = 256
CHECK_SAMPLES = 8
CALIBRATION_SAMPLES = 16
# The noise levels of the samples for noise-conditioned networks, in turn.
SIGMAS = (5.0, 15.0, 25.0, 50.0)


@dataclasses.dataclass(frozen=True)
class NoisyPhotograph:
    """A photograph with noise.

    Attributes:
        clean: uint8 [H, W, C].
        noisy: float32 [H, W, C], in [0, 1] plus noise.
        sigma: Noise level that the network is told, in 8-bit units; None if it takes none.
    """

    clean: np.ndarray
    noisy: np.ndarray
    sigma: float | None

    def crop(self, height: int, width: int) -> "NoisyPhotograph":
        """Returns the sample's upper left corner."""
        return NoisyPhotograph(self.clean[:height, :width], self.noisy[:height, :width], self.sigma)


def make_samples(model: DenoisingModel, images: Sequence[str | Path]) -> list[NoisyPhotograph]:
    """Makes noisy images, all of one size of at most 256x256.

    Args:
        model: Decides how many channels they have, and at which noise levels.
        images: Clean photographs: files, folders or globs; none for synthetic images.

    Raises:
        FileNotFoundError: If there are no such images.
        UnreadableImageError: If one of them is damaged.
    """
    count = CHECK_SAMPLES + CALIBRATION_SAMPLES
    named = _photographs(images, model, count) if images else _leaves(model, count)
    side = min(SAMPLE_SIDE, *(size for _, image in named for size in image.shape[:2]))
    samples = []
    for (name, image), sigma in zip(named, itertools.cycle(SIGMAS), strict=False):
        top, left = ((length - side) // 2 for length in image.shape[:2])
        clean = image[top : top + side, left : left + side]
        level = sigma if model.noise_conditioned else model.trained_sigma or 25.0
        noisy = add_gaussian_noise(clean, level, name)
        samples.append(NoisyPhotograph(clean, noisy, level if model.noise_conditioned else None))
    return samples


def _photographs(
    patterns: Sequence[str | Path], model: DenoisingModel, count: int
) -> list[tuple[str, np.ndarray]]:
    """Returns photographs spread evenly over what the patterns match."""
    paths = list_images(patterns)
    step = max(1, len(paths) // count)
    return list(load_images(paths[::step][:count], model.image_channels))


def _leaves(model: DenoisingModel, count: int) -> list[tuple[str, np.ndarray]]:
    canvases = [leaves_canvas(np.array([0, i]), SAMPLE_SIDE).numpy() for i in range(count)]
    if model.image_channels == 1:
        canvases = [canvas[..., 1:2] for canvas in canvases]
    return [(f"leaves{index}", canvas) for index, canvas in enumerate(canvases)]
