"""Metrics, benchmarks, validation during training, result files and figures.

Names are imported on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "figures": ["side_by_side"],
        "metrics": ["psnr", "ssim", "ssim_3d"],
        "protocol": ["evaluate_gaussian", "evaluate_pairs"],
        "report": ["format_gaussian", "format_pairs", "write_csv"],
        "validation": ["NoiseValidation", "PairValidation", "SiddValidation", "Validation"],
        "video_validation": ["SceneValidation", "VideoValidation"],
    },
)
