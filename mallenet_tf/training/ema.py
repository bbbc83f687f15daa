"""Using a model with the exponential moving average of its weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np


@contextmanager
def averaged_weights(model: keras.Model, optimizer: keras.Optimizer) -> Iterator[None]:
    """Puts the optimiser's averages into `model` for the block, then the live weights back.

    Without `use_ema` in the optimiser, or before its first step, the live weights are used.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    started = int(keras.ops.convert_to_numpy(optimizer.iterations)) > 0  # may be mirrored
    if not inner.use_ema or not started:
        yield
        return
    variables = model.trainable_variables
    live = [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]
    inner.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, live, strict=True):
            variable.assign(value)
