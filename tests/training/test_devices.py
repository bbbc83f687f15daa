"""MirroredStrategy: two devices take the steps of one device on the same global batch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.common.errors import UserError
from mallenet_tf.training import distribution, make_strategy
from tests.helpers.train_on_devices import CASES, STEPS
from tests.helpers.training_cases import TinyDenoiser, assert_close_state, experiment, logged, state


@pytest.fixture(scope="module")
def runs(tmp_path_factory, environment):
    """The folder that train_on_devices.py has filled."""
    folder = tmp_path_factory.mktemp("devices")
    script = Path(__file__).parents[1] / "helpers" / "train_on_devices.py"
    process = subprocess.run(
        [sys.executable, str(script), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-4000:]
    return folder


@pytest.mark.parametrize("case", CASES)
def test_two_devices_equal_one(runs, case):
    one, two = runs / case / "one", runs / case / "two"
    exact = case != "mixed_float16"  # whose convolutions round differently for half the batch
    assert_close_state(state(one), state(two), 2e-6 if exact else 2e-2)
    losses = [[loss for _, loss in logged(folder)[0]["loss"]] for folder in (one, two)]
    assert len(losses[0]) == STEPS
    np.testing.assert_allclose(losses[0], losses[1], rtol=0, atol=2e-6 if exact else 1e-3)
    records = [json.loads((folder / "run.json").read_text()) for folder in (one, two)]
    assert [record["starts"][0]["replicas"] for record in records] == [1, 2]
    best = [record["best_psnr"] for record in records]
    assert best[0] == pytest.approx(best[1], abs=1e-3 if exact else 0.1)


def test_the_cases_differ(runs):
    """An option without any effect would make two cases equal."""
    plain = state(runs / "plain" / "two")
    for case in ("clipped_adamw", "mixed_float16"):
        other = state(runs / case / "two")
        name = "model/0000/stem/kernel"
        assert np.abs(plain[name] - other[name]).max() > 1e-5, case


def test_two_devices_keep_the_loss_scale(runs):
    one, two = (state(runs / "mixed_float16" / name) for name in ("one", "two"))
    names = [name for name in one if name.endswith(("step_counter", "dynamic_scale", "iteration"))]
    assert len(names) >= 3
    for name in names:
        np.testing.assert_array_equal(one[name], two[name])
    counter = next(name for name in names if name.endswith("step_counter"))
    assert one[counter] == STEPS  # every step was finite, so none was skipped


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"This machine has CPU:0; no GPU:7. Received: devices="):
        make_strategy(["GPU:7"])


@pytest.mark.parametrize(
    "task, index, expected", [("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)]
)
def test_a_chief_is_the_first_worker(task, index, expected):
    cluster = tf.train.ClusterSpec({"chief": ["a:1"], "worker": ["b:1", "c:1"]})

    class Strategy:
        cluster_resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            cluster, task_type=task, task_id=index
        )

    assert distribution.worker(Strategy()) == (expected, 3)


def test_one_process_is_the_only_worker():
    assert distribution.worker(tf.distribute.get_strategy()) == (0, 1)
    assert distribution.worker(make_strategy(["CPU:0"])) == (0, 1)


def test_the_patches_must_fit_the_network(tmp_path):
    class Coarse(TinyDenoiser):
        size_multiple = 5

    with pytest.raises(UserError, match="multiples of 5. Received: patch_size=16"):
        experiment(tmp_path, 1, model=Coarse)
