"""A run goes on with what decides about its weights; with anything else it is refused."""

import functools
import json
import shutil

import gin
import numpy as np
import pytest

from mallenet_tf import training
from mallenet_tf.common.errors import UserError
from mallenet_tf.data import GaussianNoise, ImageFolder
from mallenet_tf.experiment import gin_configuration
from mallenet_tf.experiment import run as module
from mallenet_tf.training.settings import flat_settings
from tests.helpers.training_cases import Notes, Patches, experiment, state


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run of two steps."""
    folder = tmp_path_factory.mktemp("trained")
    experiment(folder, 2)
    return folder


@pytest.fixture
def folder(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


@pytest.mark.parametrize("steps", [2, 4])
@pytest.mark.parametrize(
    "changes, began, received",
    [
        ({"noise": GaussianNoise(50.0)}, "noise.sigma=25.0", "noise.sigma=50.0"),
        ({"noise": GaussianNoise((0.0, 50.0))}, "noise.sigma=25.0", "noise.sigma=2"),
        ({"loss": training.l2}, "loss='l1'", "loss='l2'"),
        ({"seed": 7}, "seed=0", "seed=7"),
        ({"patch_size": 32}, "patch_size=16", "patch_size=32"),
        ({"batch_size": 4}, "batch_size=8", "batch_size=4"),
        ({"accumulate": 2}, "accumulate=1", "accumulate=2"),
        ({"sources": [Patches()] * 2}, "sources=1", "sources=2"),
        (
            {"sources": [Patches(weight=2.0)]},
            "sources.0.weight=1.0",
            "sources.0.weight=2.0",
        ),
    ],
)
def test_another_setting_is_refused_by_its_name(folder, steps, changes, began, received):
    """Of a run that has steps left, and of one that is complete."""
    before = state(folder)
    with pytest.raises(UserError) as raised:
        experiment(folder, steps, **changes)
    message = str(raised.value)
    assert f"The run in {folder} began with {began}; go on with that, or use another" in message
    assert message.endswith(f"Received: {received}")
    assert state(folder)["step"] == before["step"] == 2


def test_initial_weights_are_a_setting(folder):
    weights = folder / "last.keras"
    with pytest.raises(UserError, match="began with initial_weights=None; .*last.keras"):
        experiment(folder, 2, initial_weights=weights)


def test_how_long_and_how_often_to_look_are_free(folder):
    experiment(
        folder,
        3,
        validate_every=1,
        save_every=1,
        log_every=2,
        clip_norm=1.0,
        validation=Notes(scores=(2.0,)),
    )
    assert state(folder)["step"] == 3


def test_a_folder_without_the_record_goes_on_and_gets_one(folder):
    path = folder / "run.json"
    record = json.loads(path.read_text())
    del record["settings"]
    path.write_text(json.dumps(record))
    experiment(folder, 3, seed=7)
    assert json.loads(path.read_text())["settings"]["seed"] == 7


def test_a_run_that_begins_anew_is_not_bound(folder):
    (folder / "state.npz").unlink()
    experiment(folder, 1, seed=7)
    assert json.loads((folder / "run.json").read_text())["settings"]["seed"] == 7


def test_settings_are_the_same_in_every_process_and_kept_by_json():
    """No address of an object, and no number that JSON changes."""
    flat = flat_settings(
        {
            "loss": training.AnnealedGroups(functools.partial(training.charbonnier, epsilon=0.1)),
            "noise": GaussianNoise(np.float32(25.0)),
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
    }
    assert json.loads(json.dumps(flat)) == flat


def test_a_folder_of_images_is_what_is_in_it(repository):
    patterns = str(repository / "docs" / "**" / "*.png")
    small, large = ImageFolder(patterns), ImageFolder(patterns, max_memory=2**33)
    assert flat_settings({"source": small}) == flat_settings({"source": large})
    assert " images, " in flat_settings({"source": small})["source"]


@pytest.mark.parametrize("name", ["charbonnier", "scope/charbonnier"])
def test_what_gin_binds_of_a_function_is_a_setting(name, repository, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "train", lambda *arguments: asked.append(arguments[-1]))
    gin.clear_config()
    try:
        gin_configuration.parse(
            [str(repository / "gin_configs" / "experiments" / "smoke.gin")],
            [f"run_experiment.loss = @{name}", "charbonnier.epsilon = 0.25"],
        )
        gin_configuration.run_experiment(tmp_path)
    finally:
        gin.clear_config()
    assert asked[0]["loss"] == "charbonnier" and asked[0]["loss.epsilon"] == 0.25
    assert "leaves" in asked[0]["sources.0"] and asked[0]["sources.0.canvas_size"] == 64
