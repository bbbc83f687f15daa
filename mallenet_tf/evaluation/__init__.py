"""The metrics, the evaluation protocol and its pictures."""

from mallenet_tf.evaluation.metrics import psnr, quantise, ssim

__all__ = ["psnr", "quantise", "ssim"]
