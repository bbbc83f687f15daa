"""Stopping and resuming: the run ends with the same bits as one that was never stopped."""

import json

import numpy as np
import pytest

from mallenet_tf import data
from tests.helpers.training_cases import (
    Notes,
    TinyDenoiser,
    adam,
    assert_same_state,
    experiment,
    state,
    values,
)

CASES = {
    "float32": {},
    "float32, Muon": {"optimizer": adam(name="muon", weight_decay=0.01)},
    "mixed_float16, AdamW, batch normalization": {
        "precision": "mixed_float16",
        "optimizer": adam(name="adamw", weight_decay=0.01),
        "normalization": "batch",
    },
}


@pytest.mark.parametrize("case", CASES)
def test_a_run_stopped_halfway_ends_with_the_same_bits(case, tmp_path):
    changes = dict(CASES[case])
    normalization = changes.pop("normalization", None)
    changes |= {
        "model": lambda: TinyDenoiser(normalization=normalization),
        "clip_norm": 0.05,
        "validate_every": 3,
    }
    whole = experiment(tmp_path / "whole", 6, **changes)
    experiment(tmp_path / "parts", 6, validation=Notes(stop_at=1), **changes)
    halfway = state(tmp_path / "parts")
    assert halfway["step"] == 3
    parts = experiment(tmp_path / "parts", 6, **changes)
    assert_same_state(state(tmp_path / "parts"), state(tmp_path / "whole"))
    for first, second in zip(values(parts), values(whole), strict=True):
        np.testing.assert_array_equal(first, second)
    # The state holds what it should, and the second half moved it.
    names = " ".join(halfway)
    for part in ("iteration", "momentum", "velocity", "average"):
        assert part in names
    assert ("dynamic_scale" in names) == ("precision" in changes)
    end = state(tmp_path / "parts")
    moved = [name for name in halfway if not np.array_equal(halfway[name], end[name])]
    assert len(moved) > 0.8 * len(halfway)
    starts = json.loads((tmp_path / "parts" / "run.json").read_text())["starts"]
    assert [(start["first_step"], start["last_step"]) for start in starts] == [(0, 3), (3, 6)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The state of a run of four steps that nothing stops."""
    folder = tmp_path_factory.mktemp("whole")
    experiment(folder, 4)
    return state(folder)


def test_the_data_resume_where_they_were(whole, tmp_path, monkeypatch):
    """A run that began its data anew would give other weights: the test above can fail."""
    experiment(tmp_path, 4, validate_every=2, validation=Notes(stop_at=1))
    training_dataset = data.training_dataset
    monkeypatch.setattr(
        data,
        "training_dataset",
        lambda *args, **options: training_dataset(*args, **{**options, "start_step": 0}),
    )
    experiment(tmp_path, 4)
    with pytest.raises(AssertionError):
        assert_same_state(state(tmp_path), whole)


def test_a_run_that_was_killed_resumes_from_its_last_save(whole, tmp_path):
    class Killed(Exception):
        pass

    class KillsAtThirdValidation(Notes):
        def scorer(self, model):
            score = super().scorer(model)

            def failing(model):
                if len(self.weights) == 2:
                    raise Killed
                return score(model)

            return failing

    options = {"validate_every": 1, "save_every": 2}
    with pytest.raises(Killed):
        experiment(tmp_path, 4, validation=KillsAtThirdValidation(), **options)
    assert state(tmp_path)["step"] == 2
    experiment(tmp_path, 4, **options)
    assert_same_state(state(tmp_path), whole)


def test_a_complete_run_is_left_alone_until_it_is_made_longer(whole, tmp_path):
    trained = experiment(tmp_path, 2)
    files = {path: path.read_bytes() for path in tmp_path.iterdir() if "events" not in path.name}
    again = experiment(tmp_path, 2)
    assert {path: path.read_bytes() for path in files} == files
    for first, second in zip(values(again), values(trained), strict=True):
        np.testing.assert_array_equal(first, second)
    experiment(tmp_path, 4)
    assert_same_state(state(tmp_path), whole)
