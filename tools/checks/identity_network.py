"""An identity in the place of a network, for checks of all that is around it."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from mallenet_tf.inference.networks import Networks


class IdentityDenoiser:
    """Gives images back as they are; has what the runners ask of a `Denoiser`."""

    frames = 1
    max_memory = None
    model = types.SimpleNamespace(noise_conditioned=False, trained_sigma=25.0, level_map="sigma")

    def __call__(self, image: np.ndarray, *others: Any, **named: Any) -> np.ndarray:
        return image

    def denoise_window(self, window: list[np.ndarray], *others: Any, **named: Any) -> np.ndarray:
        """Gives the middle frame back."""
        return window[len(window) // 2]


class IdentityNetworks(Networks):
    """Gives every file the identity."""

    def __init__(self, max_memory: int | None = None):
        self.max_memory = max_memory

    def choose(self, noise: Any) -> Any:
        """Returns the identity."""
        return IdentityDenoiser()
