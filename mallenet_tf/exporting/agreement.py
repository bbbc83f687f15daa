"""How well an exported network agrees with the Keras model that it was made from."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mallenet_tf.evaluation.metrics import psnr
from mallenet_tf.exporting.running import DenoiseFunction
from mallenet_tf.exporting.samples import CHECK_SAMPLES, NoisyPhotograph
from mallenet_tf.image_io import quantize

ODD_SIZES = ((1, 1), (3, 50), (37, 20))


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Result of comparing an exported network with its Keras model on samples.

    Attributes:
        difference: Largest difference of any two values, in [0, 1].
        psnr: Mean PSNR of the Keras model over the clean images, in dB.
        psnr_drop: How far the mean PSNR of the exported network is below that, in dB.
        samples: How many images the PSNRs are means over.
    """

    difference: float
    psnr: float
    psnr_drop: float
    samples: int

    def __str__(self) -> str:
        return (
            f"agrees with Keras to {self.difference:.1e} (of 1.0); PSNR "
            f"{self.psnr - self.psnr_drop:.2f} dB, Keras {self.psnr:.2f}, drop "
            f"{self.psnr_drop:.3f}, on {self.samples} images"
        )


def compare(
    keras_model: DenoiseFunction, exported: DenoiseFunction, samples: Sequence[NoisyPhotograph]
) -> Agreement:
    """Runs both networks on samples, and for the difference also on images of odd sizes.

    PSNRs are those of the outputs rounded to 8 bits.

    Raises:
        ValueError: If the exported network returns another shape or values that are not finite.
    """
    measured = samples[:CHECK_SAMPLES]
    outputs = [_both(keras_model, exported, sample) for sample in measured]
    odd = [
        _both(keras_model, exported, samples[0].crop(height, width)) for height, width in ODD_SIZES
    ]
    before, after = (
        np.mean(
            [
                psnr(sample.clean, quantize(output), 255)
                for sample, output in zip(measured, found, strict=True)
            ]
        )
        for found in zip(*outputs, strict=True)
    )
    difference = max(float(np.max(np.abs(found - wanted))) for wanted, found in [*outputs, *odd])
    return Agreement(difference, float(before), float(before - after), len(measured))


def _both(
    keras_model: DenoiseFunction, exported: DenoiseFunction, sample: NoisyPhotograph
) -> tuple[np.ndarray, np.ndarray]:
    wanted = keras_model(sample.noisy, sample.sigma)
    found = exported(sample.noisy, sample.sigma)
    if found.shape != wanted.shape or not np.isfinite(found).all():
        raise ValueError(
            "The exported network must return the image's shape, with finite numbers. "
            f"Received: shape={found.shape} for {wanted.shape}, or NaN"
        )
    return wanted, found
