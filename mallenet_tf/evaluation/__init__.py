"""The metrics, the evaluation protocol, its files and its pictures.

Names are imported on first use, so that the metrics alone need NumPy alone.
"""

import importlib
from typing import Any

_HOME = {
    "psnr": "metrics",
    "quantise": "metrics",
    "ssim": "metrics",
    "ssim_3d": "metrics",
    "evaluate": "evaluator",
    "evaluate_pairs": "pairs",
    "format_pairs": "pairs",
    "format_table": "report",
    "write_csv": "report",
    "side_by_side": "figure",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
