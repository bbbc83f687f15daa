"""How well an exported network agrees with the Keras model that it was made from."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mallenet_tf.evaluation.metrics import psnr
from mallenet_tf.exporting.running import Run
from mallenet_tf.image_io import quantize


@dataclasses.dataclass(frozen=True)
class Sample:
    """A photograph with noise.

    Attributes:
        clean: uint8 [H, W, C].
        noisy: float32 [H, W, C], in [0, 1] plus noise.
        sigma: what the network is told, in 8-bit units; None if it takes none.
    """

    clean: np.ndarray
    noisy: np.ndarray
    sigma: float | None


@dataclasses.dataclass(frozen=True)
class Agreement:
    """What comparing two networks on samples gave.

    Attributes:
        difference: the largest of all values' differences, in [0, 1].
        psnr: mean of the first network's PSNRs over the clean images, in dB.
        loss: how far the mean of the second network's is below that, in dB.
    """

    difference: float
    psnr: float
    loss: float


def compare(wanted: Run, found: Run, samples: Sequence[Sample]) -> Agreement:
    """Runs two networks on the same images; PSNRs are those of the answers rounded to 8 bits.

    Raises:
        ValueError: if `found` answers in another shape, or not in finite numbers.
    """
    difference = 0.0
    psnrs, losses = [], []
    for sample in samples:
        first, second = wanted(sample.noisy, sample.sigma), found(sample.noisy, sample.sigma)
        if second.shape != first.shape or not np.isfinite(second).all():
            raise ValueError(
                "The exported network must answer in the image's shape, with finite numbers. "
                f"Received: shape={second.shape} for {first.shape}, or NaN"
            )
        difference = max(difference, float(np.max(np.abs(second - first))))
        before, after = (psnr(sample.clean, quantize(answer), 255) for answer in (first, second))
        psnrs.append(before)
        losses.append(before - after)
    return Agreement(difference, float(np.mean(psnrs)), float(np.mean(losses)))
