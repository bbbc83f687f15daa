"""Optimizers and learning rate schedules by name; all of them are Keras's own."""

from typing import Any

import keras
from keras.optimizers.schedules import CosineDecay, ExponentialDecay, LearningRateSchedule


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
        name: "adam" or "adamw".
        learning_rate: Number or Keras schedule.
        weight_decay: Decay of "adamw": a step subtracts learning_rate * weight_decay times a weight
            from it.
        ema: Momentum of the moving average; None for none.
        **options: Further arguments of the Keras optimizer, for example `beta_2`.

    Raises:
        ValueError: If the name is another, or "adam" is given a weight decay.
    """
    if name not in ("adam", "adamw"):
        raise ValueError(f"optimizer must be 'adam' or 'adamw'. Received: name={name!r}")
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
