"""Denoises images and videos by a trained network: level, padding, tiles, batches of files.

Names are imported on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "denoiser": ["Denoiser"],
        "noise_estimation": ["estimate_sigma"],
        "single_image": ["denoise_image"],
    },
)
