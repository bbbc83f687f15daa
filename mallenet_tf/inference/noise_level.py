"""Chooses the shipped network for an image, and the noise level at which a network works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mallenet_tf.image_io.pixels import is_gray
from mallenet_tf.inference.linear_light import to_display
from mallenet_tf.inference.noise_estimation import estimate_sigma

if TYPE_CHECKING:
    from mallenet_tf.models import DenoisingModel as Model

# Further than this share from its trained level, a network leaves noise or removes details.
FAR_FROM_TRAINED = 0.25
# Below this estimate nothing is denoised, and the noise is probably not white.
LITTLE_NOISE = 1.0
HIGHEST_SIGMA = 255.0  # Black and white dots, as scanners make them, are estimated higher.
# Linear light is estimated from at most about so many pixels, in the middle.
MOST_ESTIMATED = 16_000_000


def default_weights(*images: np.ndarray) -> str:
    """Returns the shipped weights for images: for gray if all are gray, else for color.

    Args:
        *images: One image, or some frames of a video, [H, W], [H, W, 1] or [H, W, 3] each.
    """
    from mallenet_tf import models

    return models.DEFAULT_GRAY_WEIGHTS if all(map(is_gray, images)) else models.DEFAULT_WEIGHTS


@dataclass(frozen=True)
class NoiseLevel:
    """The noise level of one denoising, in 8-bit units: given, estimated, or fixed by the network.

    Attributes:
        sigma: Level that the network is told: the given one, or else the estimate. None if the
            network was trained for a fixed one.
        estimated: Level found in the image; None if one was given.
        trained: Level that the network was trained for; None for several or unknown ones.
    """

    sigma: float | None
    estimated: float | None
    trained: float | None

    def __str__(self) -> str:
        if self.sigma is not None:
            text = f"sigma {self.sigma:.1f}"
            if self.estimated is None:
                return text
            if self.estimated >= LITTLE_NOISE:
                return f"{text} (estimated)"
            hint = "note: hardly any white noise found; --sigma sets the strength"
            return f"{text} (estimated)  {hint}"
        if self.trained is None:
            return "fixed sigma"
        text = f"sigma {self.trained:g} (fixed)"
        if self.estimated is None or not self.trained:
            return text
        if abs(self.estimated / self.trained - 1) <= FAR_FROM_TRAINED:
            return text
        return f"{text}  warning: the noise looks like sigma {self.estimated:.1f}"


def resolve_level(
    model: Model,
    images: Sequence[np.ndarray],
    sigma: float | None = None,
    linear_light: bool = False,
) -> NoiseLevel:
    """Decides at which noise level a network works.

    Args:
        model: The network.
        images: What the level is estimated from: one image, or some frames of a video, of whose
            levels the median is taken. Each is [H, W] or [H, W, C], of the types that a `Denoiser`
            takes.
        sigma: Level in 8-bit units; None estimates it.
        linear_light: Whether floats are linear light; the level is that of the displayed image.

    Raises:
        ValueError: If the network does not take sigma.
    """
    check_sigma(model, sigma)
    if sigma is not None:
        return NoiseLevel(sigma, None, model.trained_sigma)
    estimated = float(np.median([_estimate(image, linear_light) for image in images]))
    return NoiseLevel(
        estimated if model.noise_conditioned else None, estimated, model.trained_sigma
    )


def check_sigma(model: Model, sigma: float | None) -> None:
    """Raises ValueError unless the network works with this sigma; None is an estimated one."""
    if int(model.noise_conditioned) > 1:
        raise ValueError(
            f"This network takes {int(model.noise_conditioned)} noise level maps, which do not "
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
        linear_light: As of `resolve_level`.

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
    if sigma is None and not count:
        return None
    level = resolve_level(model, [image], sigma, linear_light).sigma
    assert level is not None
    return np.broadcast_to(np.float32(level / 255.0), (*image.shape[:2], 1))


def _estimate(image: np.ndarray, linear_light: bool) -> float:
    if linear_light:
        height, width = image.shape[:2]
        rows = max(1, MOST_ESTIMATED // width)
        first = max(0, (height - rows) // 2)
        image = to_display(image[first : first + rows])
    return min(estimate_sigma(image), HIGHEST_SIGMA)
