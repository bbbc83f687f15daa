"""Training under JAX with the gin files of the other backend, where TensorFlow is not installed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mallenet_tf import training
from mallenet_tf.common.errors import UserError
from mallenet_tf.data import GaussianNoise, ImageFolder, PairFolder
from mallenet_tf.evaluation.validation import NoiseValidation, Validation
from mallenet_tf.experiment import jax_run
from mallenet_tf.models import MODELS, load_model
from tests.helpers.training_cases import TinyDenoiser, assert_same_state, small_experiment, state

QUICK_XLA = "--xla_backend_optimization_level=0"  # compiles four times faster

# Runs the command where TensorFlow cannot be imported; then has JAX denoise with the file it wrote.
WITHOUT_TENSORFLOW = """
import os, runpy, sys
sys.modules["tensorflow"] = None
try:
    runpy.run_module("mallenet_tf.train", run_name="__main__", alter_sys=True)
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


BINDINGS = """
build_model.name = "dncnn"
build_model.depth = 3
build_model.width = 8
build_model.dynamic = "malleconv"
build_model.dynamic_options = {"blocks": 1}
build_model.normalization = None
build_model.noise_conditioned = True
GaussianNoise.sigma = (10.0, 50.0)
GaussianNoise.conditioned = True
Validation.sigmas = (10.0, 50.0)
run_experiment.patch_size = 16
optimizer.ema = 0.9
cosine.peak = 5e-3
STEPS = 120
TrainingOptions.batch_size = 4
TrainingOptions.clip_norm = 1.0
TrainingOptions.log_every = 40
TrainingOptions.validate_every = 80
TrainingOptions.save_every = 80
"""


@pytest.fixture(scope="module")
def start(photographs, repository, tmp_path_factory):
    """Starts the command with a small network; later starts find what the first one compiled."""
    cache = tmp_path_factory.mktemp("compiled")
    environment = {
        **os.environ,
        "PYTHONPATH": str(repository),
        "KERAS_BACKEND": "jax",
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "XLA_FLAGS": QUICK_XLA,
    }
    paths = f'PHOTOGRAPHS = "{photographs}"\nVALIDATION = "{photographs / "1.png"}"\n'
    gin_file = cache / "small.gin"
    gin_file.write_text(f"include 'base.gin'\n{BINDINGS}{paths}")

    def run(folder: Path, *bindings: str, **variables: str):
        command = [sys.executable, "-c", WITHOUT_TENSORFLOW]
        flags = [f"--model_dir={folder}", f"--gin_file={gin_file}"]
        return subprocess.run(
            [*command, *flags, *(f"--gin_param={binding}" for binding in bindings)],
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
    done = start(folder, ANSWER=str(folder))
    assert done.returncode == 0, done.stderr
    return folder, done.stderr


def test_the_loss_falls_and_the_psnr_rises(trained):
    _, printed = trained
    losses = re.findall(r"step (\d+)/120  loss ([\d.]+)  [\d.]+ images/s  \S+ left", printed)
    assert [int(step) for step, _ in losses] == [40, 80, 120]
    assert float(losses[-1][1]) < 0.9 * float(losses[0][1])
    psnrs = re.findall(r"validation sigma_10 ([\d.]+) dB  sigma_50 ([\d.]+) dB", printed)
    assert [len(psnrs), float(psnrs[1][1]) > float(psnrs[0][1])] == [2, True]


def test_the_folder_is_that_of_the_other_backend(trained):
    folder, _ = trained
    written = {path.name for path in folder.iterdir()} - {"noisy.npy", "denoised.npy"}
    assert written == {"state.npz", "last.keras", "best.keras", "config.gin", "run.json"}
    assert "cosine.peak = 0.005" in (folder / "config.gin").read_text()
    record = json.loads((folder / "run.json").read_text())
    assert record["step"] == 120 and record["best_psnr"] > 10
    assert record["configuration"]["model.depth"] == 3
    assert record["starts"][0]["backend"] == "jax" and "jax" in record["starts"][0]["versions"]


def test_a_stopped_run_resumes_bit_for_bit(start, trained, tmp_path):
    """In calls of other numbers of steps."""
    shorter = start(tmp_path, "TrainingOptions.steps = 50", "TrainingOptions.log_every = 30")
    assert shorter.returncode == 0, shorter.stderr
    resumed = start(tmp_path)
    assert f"Resuming {tmp_path} from step 50" in resumed.stderr
    assert_same_state(state(tmp_path), state(trained[0]))


def test_another_configuration_is_refused(start, trained):
    done = start(trained[0], "GaussianNoise.sigma = (10.0, 40.0)")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("Received: GaussianNoise.sigma=40.0")


def test_a_step_that_diverges_is_found_among_many(start, tmp_path):
    done = start(tmp_path, "optimizer.learning_rate = 1e30")
    assert done.returncode == 1
    found = re.search(r"error: The loss is (nan|inf) at step (\d+)\. The batch is in ", done.stderr)
    assert found, done.stderr
    assert 1 < int(found[2]) < 40
    with np.load(tmp_path / f"diverged_at_step_{found[2]}.npz") as batch:
        assert batch["noisy"].shape == (4, 16, 16, 4) and batch["step"] == int(found[2])
    assert not (tmp_path / "state.npz").exists()


def test_what_needs_tensorflow_is_named(start, tmp_path):
    done = start(tmp_path, "run_experiment.sources = [@Leaves()]", "Leaves.canvas_size = 64")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "error: @Leaves needs Keras's TensorFlow backend. Received: KERAS_BACKEND=jax"
    )


def test_tensorflow_computes_the_same_with_the_weights(trained, noisy):
    folder, _ = trained
    model = load_model(folder / "last.keras")
    assert model.noise_conditioned and model.name == "dncnn"
    denoised = np.load(folder / "denoised.npy")
    assert np.abs(denoised - noisy[..., :3]).max() > 1e-3
    np.testing.assert_allclose(model(noisy), denoised, rtol=0, atol=1e-5)


def test_jax_calls_and_compiles_every_network_without_tensorflow(repository):
    variables = {"PYTHONPATH": str(repository), "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-c", EVERY_NETWORK],
        env={**os.environ, **variables, "XLA_FLAGS": QUICK_XLA},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    names = [name for name, (_, size) in MODELS.items() if size.get("frames", 1) == 1]
    assert done.stdout.splitlines() == [f"{name} True" for name in names]


def test_the_global_norm_is_clipped():
    from mallenet_tf.training.jax.steps import clip_by_global_norm

    gradients = [np.array([3.0, 0.0], np.float32), np.array([[4.0]], np.float32)]
    clipped = clip_by_global_norm(gradients, 2.5)
    np.testing.assert_allclose(clipped[0], [1.5, 0.0])
    np.testing.assert_allclose(clipped[1], [[2.0]])
    np.testing.assert_array_equal(clip_by_global_norm(gradients, 10.0)[0], gradients[0])


@pytest.mark.parametrize(
    "changes, binding",
    [
        ({"sources": [PairFolder("noisy")]}, "run_experiment.sources="),
        ({"sources": [ImageFolder("a"), ImageFolder("b")]}, "run_experiment.sources="),
        ({"noise": None}, "run_experiment.noise="),
        ({"validation": NoiseValidation("a", GaussianNoise())}, "run_experiment.validation="),
        ({"loss": training.AnnealedGroups()}, "run_experiment.loss="),
        ({"precision": "mixed_float16"}, "run_experiment.precision="),
        ({"devices": ["GPU:0"]}, "run_experiment.devices="),
        ({"accumulate": 2}, "TrainingOptions.accumulate=2"),
        ({"profile_steps": (1, 2)}, "TrainingOptions.profile_steps=(1, 2)"),
    ],
)
def test_what_jax_training_does_not_support_is_refused_by_its_binding(
    tmp_path, monkeypatch, changes, binding
):
    monkeypatch.setattr(jax_run.keras.backend, "backend", lambda: "jax")
    supported = {"sources": [ImageFolder("a")], "validation": Validation("a")}
    with pytest.raises(UserError, match=f"Received: {re.escape(binding)}"):
        jax_run.check_supported(small_experiment(tmp_path, 1, **supported | changes))


def test_other_backends_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(jax_run.keras.backend, "backend", lambda: "torch")
    with pytest.raises(UserError, match="Received: KERAS_BACKEND=torch"):
        jax_run.check_supported(small_experiment(tmp_path, 1))


def test_networks_for_video_are_refused(tmp_path, monkeypatch):
    class Three(TinyDenoiser):
        frames = 3

    monkeypatch.setattr(jax_run.keras.backend, "backend", lambda: "jax")
    parts = {"sources": [ImageFolder("a")], "validation": Validation("a"), "model": Three}
    with pytest.raises(UserError, match="Received: build_model.frames=3"):
        jax_run.jax_trainer(small_experiment(tmp_path, 1, **parts), None)
