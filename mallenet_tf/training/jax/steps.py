"""Optimization steps under JAX: many steps in one compiled call, which makes their batches too.

A fast device never waits for Python, and TensorFlow is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from mallenet_tf.training.jax.patches import Photographs, batch_maker
from mallenet_tf.training.options import TrainingOptions
from mallenet_tf.training.steps import Dispatched

if TYPE_CHECKING:
    from mallenet_tf.data import GaussianNoise


class JaxSteps:
    """Steps of a model under JAX, on one device; see `training.steps.Steps`.

    A run ends with the same bits however often it is stopped, if the device is deterministic: CPUs
    are; for GPUs set `XLA_FLAGS=--xla_gpu_deterministic_ops=true`.

    Products of float32 numbers are exact to float32; `JAX_DEFAULT_MATMUL_PRECISION=tensorfloat32`
    rounds their factors to 10 bits where the device can.

    Args:
        model: Model for single images.
        optimizer: Its optimizer, built.
        loss: Function of clean and denoised images, one value per image.
        options: Options of the run.
        noise: Noise that is added to the photographs.
        patch_size: Side of the patches, in pixels.
        seed: Seed of the batches.
    """

    replicas = 1
    worker = 0
    workers = 1

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.Optimizer,
        loss: Callable[..., jax.Array],
        options: TrainingOptions,
        noise: GaussianNoise,
        patch_size: int,
        seed: int,
    ):
        self.model = model
        self.optimizer = optimizer
        self._options = options
        self._make_batch = batch_maker(noise, options.batch_size, patch_size, seed)
        self._advance = jax.jit(self._advance_function(loss), donate_argnums=0)

    def open(self, photographs: Photographs) -> None:
        """Trains on photographs that are on the device."""
        self._photographs = photographs

    def dispatch(self, step: int, until: int) -> Dispatched:
        """Starts the steps until `until`, at most `log_every`, and does not wait for them."""
        last = min(until, step + self._options.log_every)
        model = self.model
        groups = (model.trainable_variables, model.non_trainable_variables)
        variables = (*groups, self.optimizer.variables)
        state = tuple([variable.value for variable in group] for group in variables)
        products = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
        with jax.default_matmul_precision(products or "highest"):
            state, losses = self._advance(state, self._photographs, step, last)
        for group, values in zip(variables, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return Dispatched(step + 1, last, lambda: np.asarray(losses)[: last - step], self._batch)

    def agree(self, requested: bool) -> bool:
        """Returns `requested`: there is one worker."""
        return requested

    def close(self) -> None:
        """Does nothing: nothing is open."""

    def _batch(self, number: int) -> Mapping[str, np.ndarray]:
        noisy, clean = self._make_batch(self._photographs, jnp.int32(number - 1))
        return {"noisy": np.asarray(noisy), "clean": np.asarray(clean)}

    def _advance_function(self, loss: Callable[..., jax.Array]) -> Callable:
        """Returns the function of (state, photographs, first, last) that takes several steps.

        The state are the values of the trainable variables, the other ones, and the optimizer's.
        The function returns the new state, and the losses at the front of an array of `log_every`.
        """
        model, optimizer = self.model, self.optimizer
        capacity, clip_norm = self._options.log_every, self._options.clip_norm

        def objective(weights: Any, others: Any, noisy: jax.Array, clean: jax.Array) -> tuple:
            denoised, others = model.stateless_call(weights, others, noisy, training=True)
            return jnp.mean(loss(clean, denoised)), others

        def advance(state: Any, photographs: Photographs, first: int, last: int) -> tuple:
            def step(number: jax.Array, carried: tuple) -> tuple:
                (weights, others, moments), losses = carried
                noisy, clean = self._make_batch(photographs, number)
                gradient = jax.value_and_grad(objective, has_aux=True)
                (value, others), gradients = gradient(weights, others, noisy, clean)
                if clip_norm is not None:
                    gradients = clip_by_global_norm(gradients, clip_norm)
                weights, moments = optimizer.stateless_apply(moments, gradients, weights)
                return (weights, others, moments), losses.at[number - first].set(value)

            return jax.lax.fori_loop(first, last, step, (state, jnp.zeros(capacity)))

        return advance


def clip_by_global_norm(gradients: list[jax.Array], norm: float) -> list[jax.Array]:
    """Scales gradients down so that their global norm is at most `norm`."""
    total = jnp.sqrt(sum(jnp.sum(jnp.square(gradient)) for gradient in gradients))
    return [gradient * (norm / jnp.maximum(total, norm)) for gradient in gradients]
