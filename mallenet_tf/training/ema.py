"""Using a model with the exponential moving average of its weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np


def use_averages(model: keras.Model, optimizer: keras.Optimizer) -> None:
    """Replaces the weights of `model` by the averages that the optimizer keeps.

    Without `use_ema` in the optimizer, or before its first step, the weights stay.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    started = int(keras.ops.convert_to_numpy(optimizer.iterations)) > 0  # may be mirrored
    if inner.use_ema and started:
        inner.finalize_variable_values(model.trainable_variables)


@contextmanager
def averaged_weights(model: keras.Model, optimizer: keras.Optimizer) -> Iterator[None]:
    """Puts the averages into `model` for the block, then the live weights back."""
    variables = model.trainable_variables
    live = [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]
    use_averages(model, optimizer)
    try:
        yield
    finally:
        for variable, value in zip(variables, live, strict=True):
            variable.assign(value)
