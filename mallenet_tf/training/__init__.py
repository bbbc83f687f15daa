"""The trainer, losses, optimizers, and what a run writes.

Names are imported on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checkpoint": ["CheckpointError"],
        "distribution": ["make_strategy"],
        "events": ["EventLog"],
        "losses": ["AnnealedGroups", "charbonnier", "l1", "l2", "log_mse"],
        "options": ["TrainingOptions"],
        "precision": ["precision_policy"],
        "run_folder": ["RunFolder"],
        "tensorflow_steps": ["TensorFlowSteps"],
        "trainer": ["DivergedError", "Trainer"],
    },
)
