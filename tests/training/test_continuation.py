"""A run is resumed with the configuration that it began with; with another it is refused."""

import functools
import json
import re
import shutil

import gin
import numpy as np
import pytest

from mallenet_tf import training
from mallenet_tf.common.errors import UserError
from mallenet_tf.data import GaussianNoise, ImageFolder
from mallenet_tf.experiment import gin_configuration
from mallenet_tf.experiment.configuration import plain_configuration
from mallenet_tf.experiment.run import Experiment
from tests.helpers.training_cases import Notes, Patches, adam, experiment, state


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run of two steps."""
    folder = tmp_path_factory.mktemp("trained")
    experiment(folder, 2)
    return folder


@pytest.fixture
def folder(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def record(folder) -> dict:
    return json.loads((folder / "run.json").read_text())


@pytest.mark.parametrize("steps", [2, 4])
@pytest.mark.parametrize(
    "changes, began, received",
    [
        ({"noise": GaussianNoise(50.0)}, "GaussianNoise.sigma=25.0", "GaussianNoise.sigma=50.0"),
        (
            {"noise": GaussianNoise((0.0, 50.0))},
            "GaussianNoise.sigma=25.0",
            "GaussianNoise.sigma=[0.0, 50.0]",
        ),
        ({"loss": training.l2}, "run_experiment.loss='l1'", "run_experiment.loss='l2'"),
        ({"seed": 7}, "run_experiment.seed=0", "run_experiment.seed=7"),
        ({"patch_size": 32}, "run_experiment.patch_size=16", "run_experiment.patch_size=32"),
        ({"batch_size": 4}, "TrainingOptions.batch_size=8", "TrainingOptions.batch_size=4"),
        ({"accumulate": 2}, "TrainingOptions.accumulate=1", "TrainingOptions.accumulate=2"),
        (
            {"sources": [Patches()] * 2},
            "run_experiment.sources=['Patches']",
            "run_experiment.sources=['Patches', 'Patches']",
        ),
        ({"sources": [Patches(weight=2.0)]}, "Patches.weight=1.0", "Patches.weight=2.0"),
    ],
)
def test_another_setting_is_refused_by_its_binding(folder, steps, changes, began, received):
    """Of a run that has steps left, and of one that is complete."""
    before = state(folder)
    with pytest.raises(UserError) as raised:
        experiment(folder, steps, **changes)
    message = str(raised.value)
    assert f"The run in {folder} began with {began}; resume it with that, or use another" in message
    assert message.endswith(f"Received: {received}")
    assert state(folder)["step"] == before["step"] == 2


def test_runs_of_earlier_versions_are_bound_by_their_settings(folder):
    """A run.json as it was written until November 2026, which described sources in other words."""
    stored = record(folder)
    del stored["configuration"]
    stored["settings"] = {
        "loss": "l1",
        "noise": "GaussianNoise",
        "noise.sigma": 25.0,
        "noise.conditioned": False,
        "patch_size": 16,
        "batch_size": 8,
        "accumulate": 1,
        "seed": 0,
        "sources": 1,
        "sources.0": "patches, described otherwise",
        "sources.0.white_from": None,
        "sources.0.weight": 1.0,
        "initial_weights": None,
    }
    (folder / "run.json").write_text(json.dumps(stored))
    for changes, named in (
        ({"batch_size": 4}, "TrainingOptions.batch_size=8"),
        ({"noise": GaussianNoise(15.0)}, "GaussianNoise.sigma=25.0"),
        ({"sources": [Patches(white_from=9)]}, "Patches.white_from=None"),
    ):
        with pytest.raises(UserError, match=f"began with {named}"):
            experiment(folder, 3, **changes)
    experiment(folder, 3)
    assert record(folder)["step"] == 3
    assert record(folder)["configuration"]["options.batch_size"] == 8
    assert "settings" not in record(folder)


def test_initial_weights_are_a_setting(folder):
    weights = folder / "last.keras"
    with pytest.raises(
        UserError, match="began with run_experiment.initial_weights=None; .*last.keras"
    ):
        experiment(folder, 2, initial_weights=weights)


def test_length_intervals_validation_and_learning_rate_may_change(tmp_path):
    def optimizer(name, learning_rate=1e-3):
        return adam()()

    def faster(name, learning_rate=2e-3):
        return adam()()

    faster.__name__ = "optimizer"
    experiment(tmp_path, 2, optimizer=functools.partial(optimizer, "adam"))
    experiment(
        tmp_path,
        3,
        optimizer=functools.partial(faster, "adam"),
        validate_every=1,
        save_every=1,
        log_every=2,
        clip_norm=1.0,
        validation=Notes(scores=(2.0,)),
    )
    assert state(tmp_path)["step"] == 3
    assert record(tmp_path)["configuration"]["optimizer.learning_rate"] == 2e-3


def test_a_folder_without_the_record_is_resumed_and_gets_one(folder):
    stored = record(folder)
    del stored["configuration"]
    (folder / "run.json").write_text(json.dumps(stored))
    experiment(folder, 3, seed=7)
    assert record(folder)["configuration"]["seed"] == 7


def test_a_run_that_begins_anew_is_not_bound(folder):
    (folder / "state.npz").unlink()
    experiment(folder, 1, seed=7)
    assert record(folder)["configuration"]["seed"] == 7


def test_configurations_are_the_same_in_every_process_and_kept_by_json():
    """No address of an object, and no number that JSON changes."""
    flat = plain_configuration(
        {
            "loss": training.AnnealedGroups(functools.partial(training.charbonnier, epsilon=0.1)),
            "noise": GaussianNoise(np.float32(25.0)),
            "options": {"depth": 3},
        }
    )
    assert flat == {
        "loss": "AnnealedGroups",
        "loss.loss": "charbonnier",
        "loss.loss.epsilon": 0.1,
        "loss.eta": 100.0,
        "loss.gamma": 0.9998,
        "noise": "GaussianNoise",
        "noise.sigma": 25.0,
        "noise.conditioned": False,
        "options": 1,
        "options.depth": 3,
    }
    assert json.loads(json.dumps(flat)) == flat


def test_a_folder_of_images_is_what_is_in_it(repository):
    patterns = str(repository / "docs" / "**" / "*.png")
    flat = plain_configuration({"source": ImageFolder(patterns)})
    assert flat["source"] == "ImageFolder"
    assert re.search(r"\d+ images, ", flat["source.content"])


@pytest.mark.parametrize("name", ["charbonnier", "scope/charbonnier"])
def test_what_gin_binds_of_a_function_is_a_setting(name, repository, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(Experiment, "_tensorflow_trainer", lambda self, folder: made.append(folder))
    gin.clear_config()
    try:
        gin_configuration.parse(
            [str(repository / "gin_configs" / "experiments" / "smoke.gin")],
            [f"run_experiment.loss = @{name}", "charbonnier.epsilon = 0.25"],
        )
        gin.get_configurable("run_experiment")(tmp_path).trainer()
    finally:
        gin.clear_config()
    configuration = made[0].configuration
    assert configuration["loss"] == "charbonnier" and configuration["loss.epsilon"] == 0.25
    assert configuration["model.name"] == "mallenet_s" and configuration["model.width"] == 4
    assert configuration["sources.0"] == "Leaves" and configuration["sources.0.canvas_size"] == 64
