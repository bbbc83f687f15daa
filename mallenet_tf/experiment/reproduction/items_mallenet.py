"""Comparisons of our own: choices of the recipe for MalleNet-S on a CPU (docs/recipes.md)."""

from mallenet_tf.experiment.reproduction.item import Item

STEPS, BATCH, PATCH = 400, 8, 96
RATE = "cosine.peak"


def patches(count: int, side: int) -> tuple[str, ...]:
    """Returns the bindings of another batch, with as many steps as give the same pixels."""
    steps = round(STEPS * BATCH * PATCH**2 / (count * side**2))
    return (
        f"STEPS = {steps}",
        f"TrainingOptions.batch_size = {count}",
        f"run_experiment.patch_size = {side}",
    )


ITEMS = (
    Item(
        "mallenet/recipes",
        "one choice of the recipe changed at a time, each with the same number of pixels",
        "--photographs with BSD400, --data with CBSD68",
        gin=("experiments/mallenet_s_bsd400.gin",),
        bindings=(f"STEPS = {STEPS}", "cosine.warmup = 20", "optimizer.ema = 0.99"),
        axes={
            "variant": {
                "the recipe": (),
                "L1": ("run_experiment.loss = @l1",),
                "MSE": ("run_experiment.loss = @l2",),
                "batch normalization": ("build_model.normalization = 'batch'",),
                "learning rate 5e-4": (f"{RATE} = 5e-4",),
                "learning rate 2e-3": (f"{RATE} = 2e-3",),
                "gradients not clipped": ("TrainingOptions.clip_norm = None",),
                "18 patches of 64": patches(18, 64),
                "2 patches of 192": patches(2, 192),
                "no EMA": ("optimizer.ema = None",),
                "EMA 0.999": ("optimizer.ema = 0.999",),
                "the paper's": (
                    *patches(16, 160),
                    "cosine.warmup = 4",
                    "run_experiment.loss = @l1",
                    "TrainingOptions.clip_norm = None",
                ),
                "sigma 50": ("GaussianNoise.sigma = 50.0",),
                "sigma 50, from the weights for sigma 25, 5e-4": (
                    "GaussianNoise.sigma = 50.0",
                    f"{RATE} = 5e-4",
                    "run_experiment.initial_weights = 'mallenet_s_sigma25'",
                ),
            }
        },
        steps=STEPS,
        compare="variant",
    ),
)
