r"""Trains a network under JAX, on whatever device JAX has; needs no TensorFlow.

    python tools/train_jax.py --photographs photos/ 'more/*.png' --model_dir=runs/s25 --sigma 25 \
      --steps=100000 --validation kodak24/

    python tools/train_jax.py --photographs photos/ --model_dir=runs/color --noise_conditioned \
      --sigma 0 75 --loss=log_mse --epsilon=1e-5 --initial_weights=mallenet_s_sigma25 --steps=200000

The photographs are decoded once and stay on the device as uint8; crops, symmetries and noise are
made there, and one compiled call takes many steps. The same command goes on with a run that was
stopped, by SIGTERM, SIGINT or --minutes. `last.keras` in the run's folder holds the averaged
weights, for any Keras backend. With JAX_COMPILATION_CACHE_DIR set to a folder, JAX keeps what it
compiled there for the next start.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from mallenet_tf.common.errors import UserError, optional_module, run_main
from mallenet_tf.common.files import atomic_path

# These may differ from one start of a run to the next; all other flags decide about its weights.
FREE_FLAGS = {"model_dir", "validation", "validation_sigmas", "save_every", "minutes"}
LOSSES = ("l1", "l2", "charbonnier", "log_mse")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; --help lists the flags")


def parse_flags(arguments: Sequence[str]) -> argparse.Namespace:
    """Reads the command line.

    Raises:
        UserError: for a flag that is unknown or missing, or a value of another type.
    """
    parser = _Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model_dir", required=True, help="folder of the run")
    add("--photographs", nargs="+", required=True, help="folders, globs or files")
    add("--model", default="mallenet_s", help="name of the network")
    add(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="argument of the network, for example width=8; may be repeated",
    )
    add("--image_channels", type=int, choices=(1, 3), default=3, help="1 for gray, 3 for colour")
    add("--noise_conditioned", action="store_true", help="give the network the noise level")
    add("--sigma", type=float, nargs="+", default=[25.0], help="noise level, or lowest and highest")
    add("--loss", choices=LOSSES, default="l1")
    add("--epsilon", type=float, help="of charbonnier and log_mse")
    add("--initial_weights", help="shipped name or .keras file; plane and colours may differ")
    add("--steps", type=int, required=True, help="steps in all")
    add("--batch_size", type=int, default=16)
    add("--patch_size", type=int, default=96)
    add("--learning_rate", type=float, default=1e-3, help="peak of the cosine schedule")
    add("--warmup", type=int, default=0, help="steps until the peak")
    add("--ema", type=float, default=0.999, help="momentum of the weights' average")
    add("--clip_norm", type=float, help="bound on the gradients' global norm")
    add("--precision", choices=("float32", "tf32", "bfloat16"), default="float32")
    add("--seed", type=int, default=0)
    add("--steps_per_call", type=int, default=100, help="steps of one compiled call")
    add("--save_every", type=int, default=1000, help="steps between states and validations")
    add("--minutes", type=float, default=float("inf"), help="save and stop after so long")
    add("--validation", nargs="+", help="photographs for the PSNR that is printed at every save")
    add("--validation_sigmas", type=float, nargs="+", help="noise levels; the trained one if fixed")
    return parser.parse_args(arguments)


def model_options(flags: argparse.Namespace) -> dict[str, Any]:
    """The arguments of the network that the flags give.

    Raises:
        UserError: for an option that is no NAME=VALUE.
    """
    options: dict[str, Any] = {
        "image_channels": flags.image_channels,
        "noise_conditioned": flags.noise_conditioned,
    }
    if not flags.noise_conditioned and len(flags.sigma) == 1:
        options["trained_sigma"] = flags.sigma[0]
    for given in flags.option:
        name, sign, value = given.partition("=")
        if not sign:
            raise UserError(f"An option is NAME=VALUE. Received: --option={given}")
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name] = value  # a word
    return options


def remember(folder: Path, flags: argparse.Namespace) -> None:
    """Notes the flags in the folder, or compares them with those that its run began with.

    Raises:
        UserError: if they would make another run of it.
    """
    path = folder / "flags.json"
    given = {name: value for name, value in vars(flags).items() if name not in FREE_FLAGS}
    if (folder / "state.npz").exists() and path.exists():
        began = json.loads(path.read_text())
        differing = [name for name in given if given[name] != began.get(name)]
        if differing:
            name = differing[0]
            raise UserError(
                f"The run in {folder} began with --{name}={began.get(name)}; use another "
                f"--model_dir for another run. Received: --{name}={given[name]}"
            )
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(given, indent=2) + "\n")


def loss_function(flags: argparse.Namespace) -> Callable:
    """The loss that the flags name.

    Raises:
        UserError: for an epsilon that the loss does not have.
    """
    from mallenet_tf.training import losses

    loss = getattr(losses, flags.loss)
    if flags.epsilon is None:
        return loss
    if flags.loss in ("l1", "l2"):
        raise UserError(f"{flags.loss} has no epsilon. Received: --epsilon={flags.epsilon}")
    return functools.partial(loss, epsilon=flags.epsilon)


def run(flags: argparse.Namespace) -> None:
    """Trains what the flags describe."""
    import jax
    import keras

    from mallenet_tf.data import GaussianNoise, ImageFolder
    from mallenet_tf.evaluation.validation import Validation
    from mallenet_tf.models import build_model, copy_weights, load_model
    from mallenet_tf.training.jax import Recipe, train

    recipe = Recipe(
        **{field.name: getattr(flags, field.name) for field in dataclasses.fields(Recipe)}
    )
    sigma = flags.sigma[0] if len(flags.sigma) == 1 else tuple(flags.sigma)
    noise = GaussianNoise(sigma, conditioned=flags.noise_conditioned)
    options = model_options(flags)

    def build() -> keras.Model:
        keras.utils.set_random_seed(flags.seed)
        network = build_model(flags.model, **options)
        if flags.initial_weights:
            copy_weights(load_model(flags.initial_weights), network)
        return network

    scorer = None
    if flags.validation:
        sigmas = flags.validation_sigmas or sorted(set(noise.limits))
        scorer = Validation(flags.validation, tuple(sigmas), pictures=0).scorer
    photographs = ImageFolder(flags.photographs)
    print(f"{photographs.describe()}; {jax.devices()[0].device_kind}", flush=True)
    bank = photographs.load(flags.image_channels, flags.patch_size)
    folder = Path(flags.model_dir)
    remember(folder, flags)
    loss = loss_function(flags)
    train(folder, build, loss, bank, noise, recipe, scorer, flags.save_every, flags.minutes)


def main(argv: Sequence[str]) -> None:
    """Runs what the module's docstring says."""
    flags = parse_flags(argv[1:])
    optional_module("jax", "jax", "jax")
    os.environ["KERAS_BACKEND"] = "jax"  # read when Keras is first imported
    run(flags)


if __name__ == "__main__":
    run_main(main)(sys.argv)
