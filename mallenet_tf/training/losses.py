"""Losses between clean and denoised images: `[N, H, W, C]` twice, one value per image, `[N]`."""

import math

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


def log_mse(clean, denoised, epsilon: float = 1e-8):
    """Negative PSNR in dB, the loss of NAFNet (Chen et al. 2022); every image counts alike."""
    return (10.0 / math.log(10.0)) * ops.log(l2(clean, denoised) + epsilon)
