"""Losses between clean and denoised images: `[N, H, W, C]` twice, one value per image, `[N]`."""

import dataclasses
import math
from collections.abc import Callable

from keras import ops


def _mean(values):
    return ops.mean(values, axis=(1, 2, 3))


def l1(clean, denoised):
    """Mean absolute error."""
    return _mean(ops.abs(denoised - clean))


def l2(clean, denoised):
    """Mean squared error."""
    return _mean(ops.square(denoised - clean))


def charbonnier(clean, denoised, epsilon: float = 1e-3):
    """sqrt(error^2 + epsilon^2), a smooth L1 (Charbonnier et al. 1994)."""
    return _mean(ops.sqrt(ops.square(denoised - clean) + epsilon**2))


def log_mse(clean, denoised, epsilon: float = 1e-8, cast_weight: float = 0.0):
    """Negative PSNR in dB, the loss of NAFNet (Chen et al. 2022); every image counts alike.

    `cast_weight` counts the squared error of each channel's mean that much more, as the image is
    shown, with values in [0, 1]: where it is black and white, cutting off the rest moves the mean.
    """
    error = l2(clean, denoised)
    if cast_weight:
        casts = ops.mean(ops.clip(denoised, 0.0, 1.0) - clean, axis=(1, 2))
        error = error + cast_weight * ops.mean(ops.square(casts), axis=-1)
    return (10.0 / math.log(10.0)) * ops.log(error + epsilon)


@dataclasses.dataclass(frozen=True)
class AnnealedGroups:
    """A loss of the result and, fading, of what each group of kernel taps makes of it alone.

    loss(Y) + eta * gamma**step * sum of loss(Y_i): at first every group learns to denoise by
    itself, from pixels that it has to find, then all work together. For networks with
    `group_results`; the training step gives them and the number of steps taken.

    Source: deformable_kernels.txt, section 3.3, equation (11). Its sum is over i, as that of kernel
    prediction networks (Mildenhall et al. 2018), whose groups are the frames.

    Attributes:
        loss: of clean and denoised images, one value per image.
        eta: the weight of the groups at the first step, >= 0.
        gamma: what it is multiplied by in each step, in (0, 1].
    """

    loss: Callable = l1
    eta: float = 100.0
    gamma: float = 0.9998

    def __post_init__(self) -> None:
        if self.eta < 0 or not 0 < self.gamma <= 1:
            raise ValueError(
                "eta must be at least 0, and gamma in (0, 1]. "
                f"Received: eta={self.eta}, gamma={self.gamma}"
            )

    def __call__(self, clean, denoised, group_results, step):
        """`group_results` is `[N, H, W, groups * C]`; `step` a scalar, 0 for the first step."""
        channels = clean.shape[-1]
        weight = self.eta * ops.power(self.gamma, ops.cast(step, "float32"))
        total = self.loss(clean, denoised)
        for start in range(0, group_results.shape[-1], channels):
            group = group_results[..., start : start + channels]
            total = total + weight * self.loss(clean, group)
        return total
