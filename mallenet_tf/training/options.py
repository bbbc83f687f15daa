"""Length of a training run, and how often it logs, validates and saves."""

import dataclasses

from mallenet_tf.common.checks import check_integers, is_number


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """Length of a training run, and how often it logs, validates and saves.

    Attributes:
        steps: Optimization steps in all.
        batch_size: Images per step, over all replicas.
        clip_norm: Bound on the global norm of the gradients; None for none.
        accumulate: Number of equal pieces in which a replica processes its share of a batch, one
            after the other: the step of a large batch in the memory of a small one. Batch
            normalization, where there is any, sees one piece at a time.
        log_every: Steps between log lines and TensorBoard scalars.
        validate_every: Steps between validations of the averaged weights.
        save_every: Steps between states on disk.
        profile_steps: First and last step, counted from 1, to trace into the run's folder for
            TensorBoard's Profile tab; None for none.

    Raises:
        ValueError: If a number is out of range.
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
