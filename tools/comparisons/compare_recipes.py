r"""Trains MalleNet-S with one choice of the recipe changed at a time and compares the PSNRs.

    python tools/comparisons/compare_recipes.py --photographs=data/bsd400 \
      --data=data/cbsd68 --output=recipes

The recipe is gin_configs/experiments/mallenet_s_bsd400.gin with fewer steps. Every variant sees the
same number of pixels and so trains for about the same time; the table has the CPU minutes. The last
two rows train at sigma 50, from random weights and from the shipped weights for sigma 25. Writes
recipes.csv and recipes.md: PSNR on the first --limit images of --data.

Each variant trains in its own folder below --output. The same command resumes a stopped comparison
and skips the variants that are done. `--variants` trains some of them, so that machines can share
the work; the tables hold all that are done.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from mallenet_tf.common.errors import UserError, run_main
from mallenet_tf.common.files import atomic_path
from mallenet_tf.common.processes import run_to_the_end
from mallenet_tf.profiling import benchmarking

RECIPE = "experiments/mallenet_s_bsd400.gin"
BATCH, PATCH = 8, 96  # as in the recipe
RATE = "cosine.peak"

# A stage is a batch size, the side of the patches, and other bindings that differ. The stages of a
# variant share its pixels; a later one starts from the weights of the one before.
Stage = tuple[int, int, tuple[str, ...]]
VARIANTS: dict[str, list[Stage]] = {
    "the recipe: log-MSE, 1e-3, 8 patches of 96, clipped, EMA 0.99": [(BATCH, PATCH, ())],
    "L1": [(BATCH, PATCH, ("run_experiment.loss = @l1",))],
    "MSE": [(BATCH, PATCH, ("run_experiment.loss = @l2",))],
    "batch normalization": [(BATCH, PATCH, ('build_model.normalization = "batch"',))],
    "learning rate 5e-4": [(BATCH, PATCH, (f"{RATE} = 5e-4",))],
    "learning rate 2e-3": [(BATCH, PATCH, (f"{RATE} = 2e-3",))],
    "gradients not clipped": [(BATCH, PATCH, ("TrainingOptions.clip_norm = None",))],
    "18 patches of 64": [(18, 64, ())],
    "2 patches of 192": [(2, 192, ())],
    "progressive: 18 patches of 64, then 2 of 192": [
        (18, 64, ("cosine.final = 5e-4",)),
        (2, 192, (f"{RATE} = 5e-4",)),
    ],
    "no EMA": [(BATCH, PATCH, ("optimizer.ema = None",))],
    "EMA 0.999": [(BATCH, PATCH, ("optimizer.ema = 0.999",))],
    "a tenth leaves": [
        (
            BATCH,
            PATCH,
            (
                "run_experiment.sources = [@ImageFolder(), @Leaves()]",
                "ImageFolder.weight = 0.9",
                "Leaves.weight = 0.1",
            ),
        )
    ],
    "the paper's: L1, 16 patches of 160, not clipped": [
        (16, 160, ("run_experiment.loss = @l1", "TrainingOptions.clip_norm = None"))
    ],
    "sigma 50, from random weights": [
        (BATCH, PATCH, ("GaussianNoise.sigma = 50.0", "Validation.sigmas = (50.0,)"))
    ],
    "sigma 50, from the weights for sigma 25, 5e-4": [
        (
            BATCH,
            PATCH,
            (
                "GaussianNoise.sigma = 50.0",
                "Validation.sigmas = (50.0,)",
                f"{RATE} = 5e-4",
                'run_experiment.initial_weights = "mallenet_s_sigma25"',
            ),
        )
    ],
}


def folder_name(variant: str) -> str:
    """Returns the name of a variant's folder."""
    return "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in variant)


def train(flags: argparse.Namespace, variant: str) -> dict[str, object]:
    """Trains a variant or resumes its training; returns its row of the table."""
    folder = flags.output / folder_name(variant)
    result = folder / "result.json"
    if result.is_file():
        return json.loads(result.read_text())
    stages = VARIANTS[variant]
    before = None
    all_steps, psnr, before_cpu = 0, math.nan, processor_seconds()
    for index, (batch, patch, bindings) in enumerate(stages):
        run = folder / f"stage{index}"
        pixels = flags.steps * BATCH * PATCH**2 / len(stages)
        steps = max(1, round(pixels / (batch * patch**2)))
        run_stage(flags, run, steps, batch, patch, bindings, before)
        before = run / "last.keras"
        all_steps, psnr = all_steps + steps, json.loads((run / "run.json").read_text())["best_psnr"]
    row = {
        "variant": variant,
        "steps": all_steps,
        "psnr": round(psnr, 3),
        "cpu_minutes": round((processor_seconds() - before_cpu) / 60, 1),
    }
    with atomic_path(result) as temporary:
        temporary.write_text(json.dumps(row))
    return row


def processor_seconds() -> float:
    """Returns the CPU time of the child processes so far, summed over cores."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_stage(
    flags: argparse.Namespace,
    run: Path,
    steps: int,
    batch: int,
    patch: int,
    bindings: Sequence[str],
    before: Path | None,
) -> None:
    """Runs `mallenet_tf.train` once, in a separate process."""
    parameters = [
        f"STEPS = {steps}",
        f"PHOTOGRAPHS = {flags.photographs!r}",
        f"VALIDATION = {flags.data!r}",
        f"Validation.limit = {flags.limit}",
        "Validation.pictures = 0",
        f"run_experiment.patch_size = {patch}",
        f"TrainingOptions.batch_size = {batch}",
        f"TrainingOptions.validate_every = {steps}",
        f"TrainingOptions.save_every = {max(1, steps // 4)}",
        f"TrainingOptions.log_every = {max(1, steps // 10)}",
        f"cosine.warmup = {steps // 20}",
        "optimizer.ema = 0.99",
        *bindings,
    ]
    if before is not None:
        parameters.append(f"run_experiment.initial_weights = {str(before)!r}")
    command = [sys.executable, "-m", "mallenet_tf.train", f"--gin_file={RECIPE}"]
    command += [f"--model_dir={run}", *(f"--gin_param={text}" for text in parameters)]
    # A stopped training leaves last.keras only; the validation writes best.keras.
    if run_to_the_end(command) or not (run / "best.keras").is_file():
        raise UserError(f"The training in {run} failed or was stopped; the lines above say why.")


def done(flags: argparse.Namespace) -> list[dict[str, object]]:
    """Returns the rows of all variants that are trained, in their order."""
    results = [flags.output / folder_name(variant) / "result.json" for variant in VARIANTS]
    return [json.loads(result.read_text()) for result in results if result.is_file()]


def markdown(rows: Sequence[dict[str, object]]) -> str:
    """Formats the table."""
    lines = ["| | PSNR | steps | CPU minutes |", "|---|---|---|---|"]
    lines += [
        f"| {row['variant']} | {row['psnr']:.2f} | {row['steps']} | {row['cpu_minutes']} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def parse_flags(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    numbers = "\n".join(f"  {index}: {variant}" for index, variant in enumerate(VARIANTS))
    parser.epilog = f"variants:\n{numbers}"
    parser.add_argument("--photographs", required=True, help="folder or glob to train on")
    parser.add_argument("--data", required=True, help="folder or glob to score on")
    parser.add_argument("--output", type=Path, required=True, help="folder for runs and results")
    parser.add_argument(
        "--steps", type=int, default=400, help=f"steps of {BATCH} patches of {PATCH}"
    )
    parser.add_argument("--limit", type=int, default=20, help="number of images to score")
    parser.add_argument("--variants", help="numbers separated by commas; default: all")
    flags = parser.parse_args(argv)
    names = list(VARIANTS)
    try:
        chosen = range(len(names)) if flags.variants is None else flags.variants.split(",")
        flags.variants = [names[int(number)] for number in chosen]
    except (ValueError, IndexError):
        parser.error(f"--variants takes numbers up to {len(names) - 1}. Received: {flags.variants}")
    return flags


def main(argv: Sequence[str]) -> None:
    """Trains the variants and writes the tables."""
    flags = parse_flags(argv)
    for variant in flags.variants:
        row = train(flags, variant)
        print(f"{variant}: {row['psnr']:.3f} dB, {row['cpu_minutes']} CPU minutes", flush=True)
    rows = done(flags)
    benchmarking.write_csv(flags.output / "recipes.csv", rows, benchmarking.describe_machine())
    with atomic_path(flags.output / "recipes.md") as temporary:
        temporary.write_text(markdown(rows))
    print(markdown(rows), end="")


if __name__ == "__main__":
    run_main(main)(sys.argv[1:])
