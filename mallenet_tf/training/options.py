"""How long a training goes on, and how often it looks at itself."""

import dataclasses

from mallenet_tf.common.checks import check_integers, is_number


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """How long, and how often to look.

    Args:
        steps: optimisation steps in all.
        batch_size: images per step over all replicas.
        clip_norm: bound on the gradients' global norm, None for none.
        accumulate: parts that each device takes its share of a batch in, one after the other: the
            step of a large batch in the memory of a small one. Batch normalisation, where there is
            any, sees one part at a time.
        log_every: steps between lines and TensorBoard scalars.
        validate_every: steps between validations with the averaged weights.
        save_every: steps between states on disk.
        profile_steps: the first and the last step, counted from 1, to trace into the run's folder
            for TensorBoard's Profile tab; None for none.
    """

    steps: int
    batch_size: int
    clip_norm: float | None = None
    accumulate: int = 1
    log_every: int = 100
    validate_every: int = 5000
    save_every: int = 1000
    profile_steps: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        counts = ("steps", "batch_size", "accumulate", "log_every", "validate_every", "save_every")
        check_integers(1, **{name: getattr(self, name) for name in counts})
        norm, traced = self.clip_norm, self.profile_steps
        if norm is not None and not (is_number(norm) and norm > 0):
            raise ValueError(f"clip_norm must be positive, or None. Received: clip_norm={norm!r}")
        if traced is None:
            return
        whole = isinstance(traced, list | tuple) and all(isinstance(step, int) for step in traced)
        if not whole or len(traced) != 2 or not 1 <= traced[0] <= traced[1]:
            raise ValueError(
                "profile_steps are the first and the last step, counted from 1. "
                f"Received: profile_steps={traced!r}"
            )
