"""Training steps for Keras's JAX backend, with the photographs on the device; no TensorFlow.

Needs `KERAS_BACKEND=jax`, and JAX itself: `pip install "mallenet-tf[jax]"`.
"""

from mallenet_tf.training.jax.patches import on_device
from mallenet_tf.training.jax.steps import JaxSteps

__all__ = ["JaxSteps", "on_device"]
