"""Losses, the training loop, and what it writes."""

from mallenet_tf.training.checkpoint import CheckpointError
from mallenet_tf.training.distribution import make_strategy, precision_policy
from mallenet_tf.training.loop import DivergedError, TrainingOptions, train
from mallenet_tf.training.losses import charbonnier, l1, l2, log_mse

__all__ = [
    "CheckpointError",
    "DivergedError",
    "TrainingOptions",
    "charbonnier",
    "l1",
    "l2",
    "log_mse",
    "make_strategy",
    "precision_policy",
    "train",
]
