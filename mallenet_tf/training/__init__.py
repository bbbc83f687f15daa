"""Losses, the training loop, and what it writes.

Names are imported on first use, so that losses and optimisers serve other backends than TensorFlow.
"""

import importlib
from typing import Any

_HOME = {
    "AnnealedGroups": "losses",
    "CheckpointError": "checkpoint",
    "DivergedError": "loop",
    "TrainingOptions": "options",
    "charbonnier": "losses",
    "l1": "losses",
    "l2": "losses",
    "log_mse": "losses",
    "make_strategy": "distribution",
    "precision_policy": "distribution",
    "train": "loop",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
