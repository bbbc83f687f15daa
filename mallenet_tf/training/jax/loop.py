"""The training loop under JAX: many steps to a compiled call, states on disk, continuation.

State, averages and optimiser are those of `mallenet_tf.training`; what differs is that one call of
the compiled function makes its batches itself and takes many steps, so that a fast device never
waits for Python.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import keras

from mallenet_tf.common.errors import UserError
from mallenet_tf.data import GaussianNoise
from mallenet_tf.data.sources.image_bank import ImageBank
from mallenet_tf.training.checkpoint import restore_state, save_state
from mallenet_tf.training.ema import averaged_weights
from mallenet_tf.training.jax.patches import batch_maker, on_device
from mallenet_tf.training.optimizers import cosine, optimizer
from mallenet_tf.training.run_folder import save_model
from mallenet_tf.training.stopping import StopRequest

if TYPE_CHECKING:
    from mallenet_tf.models import DenoisingModel

# How products of float32 numbers are computed; left alone, JAX chooses by the device.
PRODUCTS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "highest"}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What decides about the weights, apart from network, photographs and noise.

    Args:
        steps: optimisation steps in all.
        batch_size: patches per step.
        patch_size: their side in pixels, a multiple of the network's `size_multiple`.
        learning_rate: the peak of a cosine schedule that ends near zero; Adam.
        warmup: steps in which the rate rises to its peak.
        ema: momentum of the weights' moving average.
        clip_norm: bound on the gradients' global norm, None for none.
        precision: "float32"; "tf32", whose products round their factors to 10 bits where the device
            can; "bfloat16", all layers but the last in bfloat16 with float32 weights.
        seed: of the batches.
        steps_per_call: steps of one compiled call; divides `steps`.

    Raises:
        ValueError: for a number out of range or an unknown precision.
    """

    steps: int
    batch_size: int = 16
    patch_size: int = 96
    learning_rate: float = 1e-3
    warmup: int = 0
    ema: float = 0.999
    clip_norm: float | None = None
    precision: str = "float32"
    seed: int = 0
    steps_per_call: int = 100

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "patch_size", "steps_per_call"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1. Received: {name}={getattr(self, name)}"
                )
        if self.steps % self.steps_per_call:
            raise ValueError(
                "steps must be a multiple of steps_per_call. "
                f"Received: steps={self.steps}, steps_per_call={self.steps_per_call}"
            )
        if self.precision not in PRODUCTS:
            raise ValueError(
                f"precision must be one of {', '.join(PRODUCTS)}. "
                f"Received: precision={self.precision!r}"
            )


def train(
    folder: Path,
    build_model: Callable[[], DenoisingModel],
    loss: Callable,
    bank: ImageBank,
    noise: GaussianNoise,
    recipe: Recipe,
    make_scorer: Callable[[DenoisingModel], Callable] | None = None,
    save_every: int = 1000,
    minutes: float = math.inf,
) -> DenoisingModel:
    """Trains, or goes on with, the run in `folder`.

    Steps are the same bits however often a run was stopped, where the device's own arithmetic
    repeats itself: CPUs do; for GPUs set `XLA_FLAGS=--xla_gpu_deterministic_ops=true`.

    Args:
        folder: gets `state.npz`, for going on, and `last.keras`, the averaged weights.
        build_model: makes the network, under the recipe's precision.
        loss: of clean and denoised images, one value per image.
        bank: photographs, none with a side below the patches'.
        noise: makes the networks' inputs.
        recipe: see `Recipe`.
        make_scorer: as `validation.Validation.scorer`; None for no validation.
        save_every: steps between states, files and validations.
        minutes: the run saves and stops when it has taken so long.

    Returns:
        The model with the averaged weights.

    Raises:
        UserError: if the network is one for video, the patches do not fit it, the loss is no longer
            finite, or the state in the folder is another run's.
    """
    with StopRequest() as stop, _precision(recipe.precision):
        model = build_model()
        if model.frames > 1:
            raise UserError(
                "This trains networks for single images, not for video. "
                f"Received: model={model.name}, frames={model.frames}"
            )
        if recipe.patch_size % model.size_multiple:
            raise UserError(
                f"{model.name} takes patches with sides that are multiples of "
                f"{model.size_multiple}. Received: patch_size={recipe.patch_size}"
            )
        rate = cosine(recipe.learning_rate, recipe.steps, recipe.warmup)
        adam = optimizer("adam", rate, ema=recipe.ema, global_clipnorm=recipe.clip_norm)
        adam.build(model.trainable_variables)
        score = make_scorer(model) if make_scorer else None
        run = _Run(folder, model, adam, score)
        if run.step < recipe.steps:
            advance = _compile(model, adam, loss, noise, recipe)
            run.go_on(advance, on_device(bank), recipe, save_every, 60 * minutes, stop)
        else:
            print(f"{folder} is complete: {run.step} steps.", flush=True)
    if run.step:
        adam.finalize_variable_values(model.trainable_variables)
    return model


@contextlib.contextmanager
def _precision(name: str):
    """Sets the type of layers built, and of products compiled, in the block."""
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16" if name == "bfloat16" else "float32")
    try:
        with jax.default_matmul_precision(PRODUCTS[name]):
            yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def _compile(model, adam, loss: Callable, noise: GaussianNoise, recipe: Recipe) -> Callable:
    """The function of (state, photographs, first step) that takes `steps_per_call` steps.

    It returns the new state, in the order of `_variables`, and the mean loss. The old state's
    memory is used for the new one.
    """
    make_batch = batch_maker(noise, recipe.batch_size, recipe.patch_size, recipe.seed)

    def objective(weights, others, noisy, clean):
        denoised, others = model.stateless_call(weights, others, noisy, training=True)
        return jnp.mean(loss(clean, denoised)), others

    def advance(state, photographs, first):
        def step(state, number):
            weights, others, moments = state
            noisy, clean = make_batch(photographs, number)
            gradient = jax.value_and_grad(objective, has_aux=True)
            (value, others), gradients = gradient(weights, others, noisy, clean)
            weights, moments = adam.stateless_apply(moments, gradients, weights)
            return (weights, others, moments), value

        state, losses = jax.lax.scan(step, state, first + jnp.arange(recipe.steps_per_call))
        return state, jnp.mean(losses)

    return jax.jit(advance, donate_argnums=0)


class _Run:
    """A network in training, its optimiser and its folder."""

    def __init__(self, folder: Path, model, adam: keras.Optimizer, score: Callable | None):
        self.folder, self.model, self.adam, self.score = Path(folder), model, adam, score
        state = self.folder / "state.npz"
        self.step = restore_state(state, model, adam) if state.exists() else 0
        if self.step:
            print(f"Going on with {self.folder} from step {self.step}.", flush=True)

    def go_on(
        self,
        advance: Callable,
        photographs: Any,
        recipe: Recipe,
        save_every: int,
        seconds: float,
        stop: StopRequest,
    ) -> None:
        """Trains until the last step, the end of the time, or a signal."""
        started = time.monotonic()
        steps = recipe.steps_per_call
        while self.step < recipe.steps:
            before = time.monotonic()
            value = self._advance(advance, photographs)
            self.step += steps
            rate = steps / (time.monotonic() - before)
            left = datetime.timedelta(seconds=round((recipe.steps - self.step) / rate))
            print(
                f"step {self.step}/{recipe.steps}  loss {value:.5g}  "
                f"{rate * recipe.batch_size:.1f} images/s  {left} left",
                flush=True,
            )
            last = self.step == recipe.steps
            ending = last or stop.requested or time.monotonic() - started > seconds
            if ending or self.step % save_every < steps:
                self._save()
            if ending:
                break
        if self.step < recipe.steps:
            print(f"Stopped at step {self.step}; the same command goes on from there.", flush=True)

    def _advance(self, advance: Callable, photographs: Any) -> float:
        """Takes one compiled call's steps and returns the mean loss."""
        variables = self._variables()
        state = [[variable.value for variable in group] for group in variables]
        state, value = advance(tuple(state), photographs, self.step)
        for group, values in zip(variables, state, strict=True):
            for variable, new in zip(group, values, strict=True):
                variable.assign(new)
        if not math.isfinite(float(value)):
            raise UserError(
                f"The loss is {float(value)} after step {self.step}; state.npz holds the last "
                "good step. A lower --learning_rate or --clip_norm may help."
            )
        return float(value)

    def _variables(self) -> tuple:
        model = self.model
        return model.trainable_variables, model.non_trainable_variables, self.adam.variables

    def _save(self) -> None:
        """Writes the state and the averaged weights, and scores these."""
        save_state(self.folder / "state.npz", self.step, self.model, self.adam)
        with averaged_weights(self.model, self.adam):
            save_model(self.folder / "last.keras", self.model)
            if self.score is None:
                return
            scores: Mapping[str, float] = self.score(self.model)[0]
        values = "  ".join(f"{label} {psnr:.3f} dB" for label, psnr in scores.items())
        print(f"step {self.step}  validation {values}", flush=True)
