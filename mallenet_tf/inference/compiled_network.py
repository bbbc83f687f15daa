"""Compiles a network for inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mallenet_tf.models import DenoisingModel as Model


def compile_network(model: Model) -> Callable[[np.ndarray], np.ndarray]:
    """Compiles a network's inference on NumPy batches.

    TensorFlow traces one graph for all sizes. JAX compiles for each size, and Keras's other
    backends call the model.
    """
    import keras

    if keras.backend.backend() == "jax":
        return _compile_for_jax(model)
    if keras.backend.backend() != "tensorflow":
        return lambda batch: keras.ops.convert_to_numpy(model(batch, training=False))
    import tensorflow as tf

    frames = getattr(model, "frames", 1)
    channels = frames * model.image_channels + int(model.noise_conditioned)
    signature = [tf.TensorSpec([None, None, None, channels], tf.float32)]
    graph = tf.function(lambda batch: model(batch, training=False), input_signature=signature)
    return lambda batch: graph(tf.constant(batch, tf.float32)).numpy()


def _compile_for_jax(model: Model) -> Callable[[np.ndarray], np.ndarray]:
    import jax

    def forward(weights: Any, others: Any, batch: Any) -> Any:
        return model.stateless_call(weights, others, batch, training=False)[0]

    compiled = jax.jit(forward)

    def network(batch: np.ndarray) -> np.ndarray:
        weights = [variable.value for variable in model.trainable_variables]
        others = [variable.value for variable in model.non_trainable_variables]
        return np.asarray(compiled(weights, others, batch))

    return network
