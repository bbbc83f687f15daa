"""Chooses the shipped network for an image, and the noise level at which a network works."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mallenet_tf.image_io.pixels import is_gray
from mallenet_tf.inference.level_estimation import estimate_level
from mallenet_tf.inference.linear_light import to_display
from mallenet_tf.inference.noise_estimation import estimate_sigma
from mallenet_tf.inference.noise_evidence import is_free_of_noise, quiet_level

if TYPE_CHECKING:
    from mallenet_tf.models import DenoisingModel as Model

# Further than this share from its trained level, a network leaves noise or removes details.
FAR_FROM_TRAINED = 0.25
# What a noise level map can hold that follows from one number, and how it is printed.
LEVELS = {"sigma": "sigma", "camera": "camera noise, level"}
# Noise below this estimate is not called white, nor noise of which less than this share is fine.
LEAST_WHITE = 3.0
WHITE_SHARE = 0.8
# What a network for photographs is told at these estimates, linear between them. Weak noise that a
# camera has smoothed is estimated too low, and PolyU's photographs overlap with clean ones there: a
# network that is told nearly the same level for all of them gains most on the one and harms the
# other least. tools/checks/check_default.py measures both.
ESTIMATED_LEVELS = (0.0, 0.5, 1.0, 2.0, 5.5, 9.0, 255.0)
TOLD_LEVELS = (0.0, 1.6, 2.1, 2.8, 4.4, 10.0, 255.0)
# An estimate is wrong if a twentieth of the image varies less than this share of it. That of a
# camera may be right below STRONG_CAMERA, since its noise may vanish in the dark.
QUIET_WHITE, QUIET_CAMERA = 0.15, 0.03
STRONG_CAMERA = 8.0
# Below this estimate hardly anything is denoised.
LITTLE_NOISE = 1.0
HIGHEST_SIGMA = 255.0  # Black and white dots, as scanners make them, are estimated higher.
# Linear light is estimated from at most about so many pixels, in the middle.
MOST_ESTIMATED = 16_000_000


class MeasuredNoise:
    """The noise in an image, or in some frames of a video; measured on first use.

    Args:
        images: One image, or some frames, of whose levels the median is taken. Each is [H, W] or
            [H, W, C], of the types that a `Denoiser` takes.
        linear_light: Whether floats are linear light; the noise is that of the displayed image.
    """

    def __init__(self, images: Sequence[np.ndarray], linear_light: bool = False):
        self._images, self._linear_light = images, linear_light

    @functools.cached_property
    def absent(self) -> bool:
        """Whether no image can hold noise: text, line art, screenshots."""
        return all(map(is_free_of_noise, self._displayed))

    @functools.cached_property
    def sigma(self) -> float:
        """Standard deviation of white noise, in 8-bit units; far too low for other noise."""
        if self.absent:
            return 0.0
        return self._median(
            lambda image: min(estimate_sigma(image), HIGHEST_SIGMA), _believed_sigma
        )

    @functools.cached_property
    def level(self) -> float:
        """Root mean square of noise of any grain, in 8-bit units."""
        return 0.0 if self.absent else self._median(estimate_level, _believed_level)

    @property
    def told_level(self) -> float:
        """The level that a network for photographs is told."""
        return float(np.interp(self.level, ESTIMATED_LEVELS, TOLD_LEVELS))

    @functools.cached_property
    def is_white(self) -> bool:
        """Whether the noise is as strong at the highest frequencies as at others."""
        return self.sigma >= LEAST_WHITE and self.sigma >= WHITE_SHARE * self.level

    @functools.cached_property
    def in_gray(self) -> bool:
        """Whether no image shows color."""
        return all(map(is_gray, self._images))

    @functools.cached_property
    def _quiet_levels(self) -> list[float]:
        return [quiet_level(image) for image in self._displayed]

    def _median(
        self,
        estimate: Callable[[np.ndarray], float],
        believed: Callable[[float, float], float],
    ) -> float:
        """Returns the median over the images of what their quiet places let one believe."""
        estimates = [estimate(image) for image in self._displayed]
        return float(np.median([*map(believed, estimates, self._quiet_levels)]))

    @functools.cached_property
    def _displayed(self) -> Sequence[np.ndarray]:
        """What is measured: linear light as a display shows it, in the middle of large images."""
        if not self._linear_light:
            return self._images
        return [to_display(_middle(image)) for image in self._images]


def _middle(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    rows = max(1, MOST_ESTIMATED // width)
    first = max(0, (height - rows) // 2)
    return image[first : first + rows]


def _believed_sigma(sigma: float, quiet: float) -> float:
    return sigma if quiet >= QUIET_WHITE * sigma else quiet


def _believed_level(level: float, quiet: float) -> float:
    return level if level < STRONG_CAMERA or quiet >= QUIET_CAMERA * level else quiet


def default_weights(noise: MeasuredNoise, sigma: float | None = None) -> str:
    """Returns the shipped weights for an image or a video.

    Args:
        noise: The noise of the image.
        sigma: Level that the user gave; None for none.

    Returns:
        The network for photographs; for white noise, which a given sigma means, the one for white
        noise, in color or gray.
    """
    from mallenet_tf import models

    if sigma is None and not noise.is_white:
        return models.DEFAULT_PHOTO_WEIGHTS
    return models.DEFAULT_GRAY_WEIGHTS if noise.in_gray else models.DEFAULT_WEIGHTS


@dataclass(frozen=True)
class NoiseLevel:
    """The noise level of one denoising, in 8-bit units: given, estimated, or fixed by the network.

    Attributes:
        sigma: Level that the network is told: the given one, or else the estimate. None if the
            network was trained for a fixed one.
        estimated: Level found in the image; None if one was given.
        trained: Level that the network was trained for; None for several or unknown ones.
        level_map: What the level means, a key of `LEVELS`.
    """

    sigma: float | None
    estimated: float | None
    trained: float | None
    level_map: str = "sigma"

    def __str__(self) -> str:
        if self.sigma is not None:
            text = f"{LEVELS[self.level_map]} {self.sigma:.1f}"
            if self.estimated is None:
                return text
            if self.estimated == 0.0:
                return "unchanged: no noise found; --sigma denoises all the same"
            if self.estimated >= LITTLE_NOISE:
                return f"{text} (estimated)"
            what = "white noise" if self.level_map == "sigma" else "noise"
            return f"{text} (estimated)  note: hardly any {what} found; --sigma sets the strength"
        if self.trained is None:
            return "fixed sigma"
        text = f"sigma {self.trained:g} (fixed)"
        if self.estimated is None or not self.trained:
            return text
        if abs(self.estimated / self.trained - 1) <= FAR_FROM_TRAINED:
            return text
        return f"{text}  warning: the noise looks like sigma {self.estimated:.1f}"


def resolve_level(model: Model, noise: MeasuredNoise, sigma: float | None = None) -> NoiseLevel:
    """Decides at which noise level a network works.

    Args:
        model: The network.
        noise: What the level is taken from if sigma is None.
        sigma: Level in 8-bit units; None estimates it.

    Raises:
        ValueError: If the network does not take sigma.
    """
    told = level_to_tell(model, noise, sigma)
    kind = model.level_map if model.noise_conditioned else "sigma"
    estimated = (noise.sigma if told is None else told) if sigma is None else None
    return NoiseLevel(told, estimated, model.trained_sigma, kind)


def level_to_tell(model: Model, noise: MeasuredNoise, sigma: float | None = None) -> float | None:
    """Returns the level that a network is told; None if it was trained for a fixed one.

    Nothing is measured unless the network needs it. Arguments and errors are those of
    `resolve_level`.
    """
    check_sigma(model, sigma)
    if sigma is not None or not model.noise_conditioned:
        return sigma
    return noise.told_level if model.level_map == "camera" else noise.sigma


def check_sigma(model: Model, sigma: float | None) -> None:
    """Raises ValueError unless the network works with this sigma; None is an estimated one."""
    if int(model.noise_conditioned) > 1:
        raise ValueError(
            f"This network takes {int(model.noise_conditioned)} noise level maps, which do not "
            f"follow from sigma; give noise_level_map. Received: sigma={sigma}"
        )
    if model.noise_conditioned and model.level_map not in LEVELS:
        raise ValueError(
            f"This network's noise level map is that of {model.level_map} noise, which does not "
            f"follow from sigma; give noise_level_map. Received: sigma={sigma}"
        )
    if sigma is None:
        return
    if not model.noise_conditioned:
        trained = model.trained_sigma
        which = "one noise level" if trained is None else f"sigma {trained:g}"
        raise ValueError(
            f"This network was trained for {which} and takes no sigma. Leave sigma out "
            "(--sigma=auto), or use the weights of a noise-conditioned network. "
            f"Received: sigma={sigma}"
        )
    if not 0 <= sigma <= HIGHEST_SIGMA:
        raise ValueError(f"sigma is in 8-bit units, 0 to 255. Received: sigma={sigma}")


def maps_for_network(
    model: Model,
    image: np.ndarray,
    sigma: float | None,
    noise_level_map: np.ndarray | None,
    linear_light: bool,
) -> np.ndarray | None:
    """Returns the noise level maps of an image: the given ones, or sigma / 255 everywhere.

    Args:
        model: The network.
        image: [H, W, C].
        sigma: Level in 8-bit units; None estimates it.
        noise_level_map: [H, W, P], instead of sigma.
        linear_light: As of `MeasuredNoise`.

    Returns:
        [H, W, P]; None if the network takes no maps.

    Raises:
        ValueError: If the network does not take this sigma or map, or both are given.
    """
    count = int(model.noise_conditioned)
    if noise_level_map is not None:
        if sigma is not None or not count or noise_level_map.shape != (*image.shape[:2], count):
            raise ValueError(
                f"This network takes {count} noise level maps; for an image [H, W, C], "
                f"noise_level_map is [H, W, {count}] and replaces sigma. Received: "
                f"noise_level_map of {noise_level_map.shape} for {image.shape}, sigma={sigma}"
            )
        return noise_level_map
    level = level_to_tell(model, MeasuredNoise([image], linear_light), sigma)
    if level is None:
        return None
    return np.broadcast_to(np.float32(level / 255.0), (*image.shape[:2], 1))
