"""Losses between clean and denoised images: `[N, H, W, C]` twice, one value per image, `[N]`."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeAlias

from keras import ops

Tensor: TypeAlias = Any  # of the Keras backend in use


def _mean(values: Tensor) -> Tensor:
    return ops.mean(values, axis=(1, 2, 3))


def l1(clean: Tensor, denoised: Tensor) -> Tensor:
    """Mean absolute error."""
    return _mean(ops.abs(denoised - clean))


def l2(clean: Tensor, denoised: Tensor) -> Tensor:
    """Mean squared error."""
    return _mean(ops.square(denoised - clean))


def charbonnier(clean: Tensor, denoised: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Mean of sqrt(error^2 + epsilon^2), a smooth L1 (Charbonnier et al. 1994)."""
    return _mean(ops.sqrt(ops.square(denoised - clean) + epsilon**2))


def log_mse(
    clean: Tensor, denoised: Tensor, epsilon: float = 1e-8, cast_weight: float = 0.0
) -> Tensor:
    """Negative PSNR in dB, the loss of NAFNet (Chen et al. 2022); every image has equal weight.

    Args:
        clean: Clean images.
        denoised: Denoised images.
        epsilon: Added to the mean squared error.
        cast_weight: Weight of the squared error of each channel's mean, which counts a color cast.
            The denoised image is clipped to [0, 1] for it, as it is for display: clipping moves the
            mean of dark and of bright areas.
    """
    error = l2(clean, denoised)
    if cast_weight:
        casts = ops.mean(ops.clip(denoised, 0.0, 1.0) - clean, axis=(1, 2))
        error = error + cast_weight * ops.mean(ops.square(casts), axis=-1)
    return (10.0 / math.log(10.0)) * ops.log(error + epsilon)


@dataclasses.dataclass(frozen=True)
class AnnealedGroups:
    """Loss of the result plus, with a weight that decays, of the estimate of each group of taps.

    loss(Y) + eta * gamma**step * sum of loss(Y_i): at first every group of kernel taps learns to
    denoise alone, from the pixels that it samples; later all groups work together. For networks
    with `group_results`; the training step passes these and the number of steps taken.

    Source: deformable_kernels.txt, section 3.3, equation (11). Its sum is over i, as that of kernel
    prediction networks (Mildenhall et al. 2018), whose groups are the frames.

    Attributes:
        loss: Function of clean and denoised images, one value per image.
        eta: Weight of the groups at the first step, >= 0.
        gamma: Factor by which the weight decays in each step, in (0, 1].

    Raises:
        ValueError: If eta or gamma is out of range.
    """

    loss: Callable[[Tensor, Tensor], Tensor] = l1
    eta: float = 100.0
    gamma: float = 0.9998

    def __post_init__(self) -> None:
        if self.eta < 0 or not 0 < self.gamma <= 1:
            raise ValueError(
                "eta must be at least 0, and gamma in (0, 1]. "
                f"Received: eta={self.eta}, gamma={self.gamma}"
            )

    def __call__(
        self, clean: Tensor, denoised: Tensor, group_results: Tensor, step: Tensor
    ) -> Tensor:
        """Returns one value per image.

        Args:
            clean: Clean images, `[N, H, W, C]`.
            denoised: Denoised images, `[N, H, W, C]`.
            group_results: Estimates of the groups, `[N, H, W, groups * C]`.
            step: Number of steps taken, a scalar.
        """
        channels = clean.shape[-1]
        weight = self.eta * ops.power(self.gamma, ops.cast(step, "float32"))
        total = self.loss(clean, denoised)
        for start in range(0, group_results.shape[-1], channels):
            group = group_results[..., start : start + channels]
            total = total + weight * self.loss(clean, group)
        return total


Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor] | AnnealedGroups
