"""The tool that trains under JAX: its batches, its continuation, its files in TensorFlow."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.data import GaussianNoise, ImageFolder
from mallenet_tf.data.augment import apply_symmetry
from mallenet_tf.models import MODELS, load_model
from tests.helpers.layer_checks import raises_value_error

TOOL = Path(__file__).resolve().parents[2] / "tools" / "train_jax.py"
QUICK_XLA = "--xla_backend_optimization_level=0"  # compiles four times faster
SIZES = ((40, 33, "png"), (24, 52, "png"), (36, 36, "jpg"))

# Runs the tool where TensorFlow cannot be imported; then has JAX denoise with the file it wrote.
WITHOUT_TENSORFLOW = """
import os, runpy, sys
sys.modules["tensorflow"] = None
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    if end.code or "ANSWER" not in os.environ:
        raise
import numpy as np
from mallenet_tf.inference.compiled_network import compile_network
from mallenet_tf.models import load_model
network = compile_network(load_model(os.environ["ANSWER"] + "/last.keras"))
noisy = np.load(os.environ["ANSWER"] + "/noisy.npy")
np.save(os.environ["ANSWER"] + "/denoised.npy", network(noisy))
"""

# Calls every network for single images where TensorFlow cannot be imported, at a small width: JAX
# traces them, but computes nothing. Prints whether Keras compiles each for `fit` and `predict`.
EVERY_NETWORK = """
import sys
sys.modules["tensorflow"] = None
import jax
import numpy as np
from mallenet_tf.models import MODELS, build_model
noisy = np.ones((1, 16, 16, 3), np.float32)
sizes = {"dncnn": {"depth": 3}, "rdn": {"blocks": 2, "block_layers": 2}}
for name, (_, size) in MODELS.items():
    if size.get("frames", 1) == 1:
        model = build_model(name, width=8, **sizes.get(name, {}))
        assert jax.eval_shape(model, noisy).shape == noisy.shape
        model.compile("sgd", "mse")
        print(name, model.jit_compile)
"""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> Path:
    """A folder with smooth colour images of several sizes."""
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for number, (height, width, kind) in enumerate(SIZES):
        coarse = Image.fromarray(random.integers(0, 256, (5, 6, 3), np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{number}.{kind}")
    return folder


@pytest.fixture(scope="module")
def start(photographs, tmp_path_factory):
    """Starts the tool with a small network; later starts find what the first one compiled."""
    cache = tmp_path_factory.mktemp("compiled")
    environment = {
        **os.environ,
        "PYTHONPATH": str(TOOL.parent.parent),
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "XLA_FLAGS": QUICK_XLA,
    }
    options = {"depth": 3, "width": 8, "dynamic": "malleconv", "dynamic_options": {"blocks": 1}}
    flags = ["--model=dncnn", *(f"--option={name}={value}" for name, value in options.items())]
    flags += ["--option=normalization=None", "--noise_conditioned", "--sigma", "10", "50"]
    flags += ["--photographs", str(photographs), "--batch_size=4", "--patch_size=16"]
    flags += ["--steps=120", "--steps_per_call=40", "--save_every=80", "--ema=0.9"]
    flags += ["--learning_rate=5e-3", "--clip_norm=1"]

    def run(folder: Path, *more: str, **variables: str):
        command = [sys.executable, "-c", WITHOUT_TENSORFLOW, str(TOOL)]
        return subprocess.run(
            [*command, f"--model_dir={folder}", *flags, *more],
            env={**environment, **variables},
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    return np.random.default_rng(1).random((1, 24, 52, 4), np.float32)


@pytest.fixture(scope="module")
def trained(start, photographs, noisy, tmp_path_factory):
    """A run from beginning to end: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("run")
    np.save(folder / "noisy.npy", noisy)
    done = start(folder, f"--validation={photographs / '1.png'}", ANSWER=str(folder))
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_the_loss_falls_and_the_psnr_rises(trained):
    _, printed = trained
    losses = [float(value) for value in re.findall(r"loss ([\d.]+)  [\d.]+ images/s", printed)]
    assert len(losses) == 3 and losses[-1] < 0.9 * losses[0]
    psnrs = re.findall(r"validation sigma_10 ([\d.]+) dB  sigma_50 ([\d.]+) dB", printed)
    assert [len(psnrs), float(psnrs[1][1]) > float(psnrs[0][1])] == [2, True]


def test_a_stopped_run_goes_on_bit_for_bit(start, trained, tmp_path):
    stopped = start(tmp_path, "--minutes=0")
    assert "Stopped at step 40" in stopped.stdout, stopped.stderr
    went_on = start(tmp_path)
    assert "from step 40" in went_on.stdout, went_on.stderr
    with np.load(trained[0] / "state.npz") as whole, np.load(tmp_path / "state.npz") as parts:
        assert whole.files == parts.files
        for name in whole.files:
            np.testing.assert_array_equal(whole[name], parts[name], err_msg=name)


def test_tensorflow_computes_the_same_with_the_weights(trained, noisy):
    folder, _ = trained
    model = load_model(folder / "last.keras")
    assert model.noise_conditioned and model.name == "dncnn"
    denoised = np.load(folder / "denoised.npy")
    assert np.abs(denoised - noisy[..., :3]).max() > 1e-3
    np.testing.assert_allclose(model(noisy), denoised, rtol=0, atol=1e-5)


def test_jax_calls_and_compiles_every_network_without_tensorflow():
    variables = {"PYTHONPATH": str(TOOL.parent.parent), "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-c", EVERY_NETWORK],
        env={**os.environ, **variables, "XLA_FLAGS": QUICK_XLA},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    names = [name for name, (_, size) in MODELS.items() if size.get("frames", 1) == 1]
    assert done.stdout.splitlines() == [f"{name} True" for name in names]


@pytest.fixture(scope="module")
def bank(photographs):
    return ImageFolder(str(photographs)).load(3, 1)


@pytest.fixture(scope="module")
def make_batch(bank):
    """The function of a step to its batch of 48 patches of 16 x 16, noisy and clean."""
    import jax

    from mallenet_tf.training.jax.patches import batch_maker, on_device

    make_batch = jax.jit(batch_maker(GaussianNoise((10.0, 50.0), conditioned=True), 48, 16, seed=3))
    photographs = on_device(bank)
    return lambda step: [np.asarray(part) for part in make_batch(photographs, step)]


def test_patches_are_pieces_of_the_photographs(bank, make_batch):
    places = set()
    for patch in np.rint(make_batch(5)[1] * 255).astype(np.uint8):
        found = [
            (number, symmetry)
            for number in range(len(SIZES))
            for symmetry in range(8)
            if occurs(bank.image(number), patch, symmetry)
        ]
        assert found
        places.update(found)
    assert {number for number, _ in places} == set(range(len(SIZES)))
    assert {symmetry for _, symmetry in places} == set(range(8))


def occurs(image: np.ndarray, patch: np.ndarray, symmetry: int) -> bool:
    """Whether a square of an image, turned, is the patch."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (len(patch), len(patch)), (0, 1))
    turned = [int(bit) for bit in f"{symmetry:03b}"]  # undone in the reverse order
    if turned[0]:
        patch = patch[:, ::-1]
    if turned[1]:
        patch = patch[::-1]
    if turned[2]:
        patch = patch.transpose(1, 0, 2)
    return bool((windows == patch.transpose(2, 0, 1)).all((2, 3, 4)).any())


def test_symmetries_are_those_of_the_pipeline():
    from mallenet_tf.training.jax.patches import symmetric_grid

    image = np.random.default_rng(4).random((5, 5, 3), np.float32)
    rows, columns = symmetric_grid(np.arange(8), 5)
    for index in range(8):
        expected = apply_symmetry(image, index).numpy()
        np.testing.assert_array_equal(image[rows[index], columns[index]], expected)


def test_noise_is_drawn_anew_for_each_patch_and_step(make_batch):
    noisy, clean = make_batch(0)
    sigma = noisy[..., 3]
    assert np.all(sigma == sigma[:, :1, :1])
    levels = sigma[:, 0, 0] * 255
    assert 10 <= levels.min() < 16 and 44 < levels.max() <= 50
    measured = (noisy[..., :3] - clean).std(axis=(1, 2, 3)) * 255
    np.testing.assert_allclose(measured, levels, rtol=0.15)  # of 768 values, 2.5 % at one sigma
    np.testing.assert_array_equal(make_batch(0)[0], noisy)
    assert np.abs(make_batch(1)[0] - noisy).max() > 0.1


@pytest.fixture(scope="module")
def tool():
    specification = importlib.util.spec_from_file_location("train_jax", TOOL)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


FLAGS = ["--model_dir=run", "--photographs=photos", "--steps=100"]


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--model_dir=run"], "required: --photographs, --steps"),
        ([*FLAGS, "--patches=8"], "unrecognized arguments: --patches=8"),
        ([*FLAGS, "--loss=l3"], "invalid choice: 'l3'"),
    ],
)
def test_wrong_flags_are_one_line(tool, flags, message):
    with pytest.raises(UserError, match=message) as caught:
        tool.parse_flags(flags)
    assert "\n" not in str(caught.value)


def test_another_recipe_needs_another_folder(tool, tmp_path):
    tool.remember(tmp_path, tool.parse_flags([*FLAGS, "--seed=1"]))
    tool.remember(tmp_path, tool.parse_flags([*FLAGS, "--seed=2"]))  # nothing was trained yet
    (tmp_path / "state.npz").touch()
    tool.remember(tmp_path, tool.parse_flags([*FLAGS, "--seed=2", "--minutes=5"]))
    with pytest.raises(UserError, match="began with --seed=2.* Received: --seed=1"):
        tool.remember(tmp_path, tool.parse_flags([*FLAGS, "--seed=1"]))
    assert json.loads((tmp_path / "flags.json").read_text())["seed"] == 2


def test_a_mistake_ends_with_one_line(start, tmp_path):
    done = start(tmp_path, "--patches=8")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: unrecognized arguments: --patches=8; --help lists the flags"
    ]


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"steps_per_call": 7}, "multiple of steps_per_call"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"precision": "float8"}, "precision must be one of"),
    ],
)
def test_wrong_recipes_are_refused(wrong, message):
    from mallenet_tf.training.jax import Recipe

    with raises_value_error(message):
        Recipe(**{"steps": 60, "steps_per_call": 20, **wrong})


@pytest.mark.parametrize(
    "network, message",
    [
        (SimpleNamespace(name="video", frames=3), "not for video"),
        (SimpleNamespace(name="pyramid", frames=1, size_multiple=8), "multiples of 8"),
    ],
)
def test_networks_that_do_not_fit_are_refused(tmp_path, network, message):
    from mallenet_tf.training.jax import Recipe, train

    recipe = Recipe(steps=1, steps_per_call=1, patch_size=20)
    with pytest.raises(UserError, match=message):
        train(tmp_path, lambda: network, None, None, GaussianNoise(), recipe)
