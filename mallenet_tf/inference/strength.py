"""How much of the noise found is removed: of all of it, of luminance and of color."""

from __future__ import annotations

import dataclasses

import numpy as np

from mallenet_tf.common.srgb import LUMA


@dataclasses.dataclass(frozen=True)
class Strength:
    """Shares of the noise that are removed, each from 0 to 1.

    Attributes:
        strength: Of all of the noise.
        luminance: Of the noise in luma: grain.
        color: Of the differences of red, green and blue from luma: color blotches.

    Raises:
        ValueError: If a share is out of range.
    """

    strength: float = 1.0
    luminance: float = 1.0
    color: float = 1.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not 0 <= value <= 1:
                raise ValueError(f"{field.name} is from 0 to 1. Received: {field.name}={value}")

    @property
    def full(self) -> bool:
        """Whether all of the noise is removed."""
        return self == Strength()

    def of(self, change: np.ndarray) -> np.ndarray:
        """Returns the part to apply of a network's change, float32 [..., C] in display values."""
        luminance = np.float32(self.strength * self.luminance)
        if change.shape[-1] != 3 or self.luminance == self.color:
            return luminance * change
        luma = (change @ np.array(LUMA, np.float32))[..., None]
        return luminance * luma + np.float32(self.strength * self.color) * (change - luma)
