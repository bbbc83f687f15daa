"""Metrics, benchmarks, validation during training, result files and figures.

Names are imported on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "evaluator": ["evaluate"],
        "figures": ["side_by_side"],
        "metrics": ["psnr", "ssim", "ssim_3d"],
        "pairs": ["evaluate_pairs", "format_pairs"],
        "report": ["format_table", "write_csv"],
        "validation": ["NoiseValidation", "PairValidation", "SiddValidation", "Validation"],
        "video_validation": ["SceneValidation", "VideoValidation"],
    },
)
