"""Optimizers by name, and learning rate schedules; nearly all of them are Keras's own."""

from typing import Any

import keras
from keras.optimizers.schedules import CosineDecay, ExponentialDecay, LearningRateSchedule

from mallenet_tf.training.muon import ConvolutionMuon


def optimizer(
    name: str,
    learning_rate: float | LearningRateSchedule,
    weight_decay: float = 0.0,
    ema: float | None = 0.999,
    **options: Any,
) -> keras.Optimizer:
    """Returns an optimizer with an exponential moving average of the weights.

    The average starts at the weights after the first step. tensorflow-addons differs in two points:
    its `MovingAverage` does so with `start_step=1` (with 0 it starts at the initial weights), and
    its `AdamW` does not multiply the weight decay by the learning rate, so that its value is ours
    times the learning rate.

    Args:
        name: "adam", "adamw" or "muon": orthogonal updates for the kernels of convolutions, Adam
            for everything else and for the layers that `exclude_layers` names.
        learning_rate: Number or Keras schedule.
        weight_decay: Decay of "adamw", and of the kernels that "muon" updates: a step subtracts
            learning_rate * weight_decay times a weight from it.
        ema: Momentum of the moving average; None for none.
        **options: Further arguments of the Keras optimizer, for example `beta_2`.

    Raises:
        ValueError: If the name is another, or "adam" is given a weight decay.
    """
    if name not in ("adam", "adamw", "muon"):
        raise ValueError(f"optimizer must be 'adam', 'adamw' or 'muon'. Received: name={name!r}")
    if name == "adam" and weight_decay:
        raise ValueError(
            f"'adam' takes no weight decay; use 'adamw'. Received: weight_decay={weight_decay}"
        )
    # The name is part of the paths of the variables. Keras would number it, and a second training
    # in the same process could not resume from the state of the first one.
    options["name"] = name
    if ema is not None:
        options |= {"use_ema": True, "ema_momentum": ema}
    if name == "adam":
        return keras.optimizers.Adam(learning_rate, **options)
    if name == "muon":
        options |= {"weight_decay": weight_decay or None, "adam_weight_decay": None}
        return ConvolutionMuon(learning_rate, **options)
    return keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay, **options)


def cosine(peak: float, steps: int, warmup: int = 0, final: float = 1e-7) -> LearningRateSchedule:
    """Returns a cosine decay from `peak` to `final`, after a linear warmup from 0.

    Args:
        peak: Highest learning rate.
        steps: Steps until `final` is reached, including the warmup.
        warmup: Steps of the warmup.
        final: Learning rate at the end.

    Raises:
        ValueError: If the warmup leaves no step for the decay.
    """
    if not 0 <= warmup < steps:
        raise ValueError(f"warmup must be below steps. Received: warmup={warmup}, steps={steps}")
    if warmup:
        return CosineDecay(
            0.0, steps - warmup, final / peak, warmup_target=peak, warmup_steps=warmup
        )
    return CosineDecay(peak, steps, final / peak)


def trapezoid(
    peak: float, steps: int, warmup: int = 0, decay: int | None = None, final: float = 0.0
) -> LearningRateSchedule:
    """Returns a linear warmup, then `peak`, then a linear decay to `final`.

    Before the decay the rate does not depend on `steps`: a run may be resumed with more steps as if
    it had begun with them.

    Args:
        peak: Highest learning rate.
        steps: Steps until `final` is reached, including the warmup.
        warmup: Steps of the warmup.
        decay: Steps of the decay; None for all after the warmup.
        final: Learning rate at the end.

    Raises:
        ValueError: If warmup and decay do not fit into the steps, or `final` is above `peak`.
    """
    decay = steps - warmup if decay is None else decay
    if warmup < 0 or decay < 1 or warmup + decay > steps:
        raise ValueError(
            "warmup and decay, at least 1, must fit into steps. "
            f"Received: warmup={warmup}, decay={decay}, steps={steps}"
        )
    if not 0 <= final <= peak:
        raise ValueError(f"final must be between 0 and peak. Received: final={final}, peak={peak}")
    return _Trapezoid(peak, steps, warmup, decay, final)


class _Trapezoid(LearningRateSchedule):
    def __init__(self, peak: float, steps: int, warmup: int, decay: int, final: float):
        self.peak = peak
        self.steps = steps
        self.warmup = warmup
        self.decay = decay
        self.final = final

    def __call__(self, step: Any) -> Any:
        step = keras.ops.cast(step, "float32")
        rise = (step + 1.0) / max(self.warmup, 1)
        fall = keras.ops.clip((self.steps - step) / self.decay, 0.0, 1.0)
        falling = self.final + (self.peak - self.final) * fall
        return keras.ops.minimum(self.peak * rise, falling)

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "steps": self.steps,
            "warmup": self.warmup,
            "decay": self.decay,
            "final": self.final,
        }


def exponential(peak: float, factor: float, final: float) -> LearningRateSchedule:
    """Returns `peak`, multiplied by `factor` in every step until it reaches `final`.

    Raises:
        ValueError: If the factor is not in (0, 1] or `final` is above `peak`.
    """
    if not 0 < factor <= 1 or not 0 <= final <= peak:
        raise ValueError(
            "factor must be in (0, 1], and final between 0 and peak. "
            f"Received: peak={peak}, factor={factor}, final={final}"
        )
    return _FlooredExponential(peak, factor, final)


class _FlooredExponential(ExponentialDecay):
    def __init__(self, peak: float, factor: float, final: float):
        super().__init__(peak, decay_steps=1, decay_rate=factor)
        self.final = final

    def __call__(self, step: Any) -> Any:
        return keras.ops.maximum(super().__call__(step), self.final)

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.initial_learning_rate, "factor": self.decay_rate, "final": self.final}
