"""Training under Keras's JAX backend, with the photographs on the accelerator; no TensorFlow.

Needs `KERAS_BACKEND=jax`, and JAX itself: `pip install "mallenet-tf[jax]"`.
"""

from mallenet_tf.training.jax.loop import Recipe, train

__all__ = ["Recipe", "train"]
