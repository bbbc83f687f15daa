"""Precision of a training run."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@contextmanager
def precision_policy(precision: str) -> Iterator[None]:
    """Sets the Keras dtype policy for layers built in the block.

    Args:
        precision: "float32", "mixed_float16" (with `scale_loss_for`) or "mixed_bfloat16".

    Raises:
        ValueError: If it is another name.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {PRECISIONS}. Received: precision={precision!r}"
        )
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def scale_loss_for(precision: str, optimizer: keras.Optimizer) -> keras.Optimizer:
    """Wraps an optimizer so that it scales the loss, if gradients would vanish in float16."""
    if precision != "mixed_float16":
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale")
