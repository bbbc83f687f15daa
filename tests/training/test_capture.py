"""A run traces the steps that it is asked to, into its folder."""

import json

import pytest

from mallenet_tf.training import TrainingOptions
from tests.helpers.training_cases import experiment


def traced_steps(folder) -> list[list[str]]:
    """The names of the steps in each trace, as xprof reads them."""
    raw_to_tool_data = pytest.importorskip("xprof.convert.raw_to_tool_data")
    found = []
    for path in sorted(folder.glob("plugins/profile/*/*.xplane.pb")):
        data, _ = raw_to_tool_data.xspace_to_tool_data([str(path)], "input_pipeline_analyzer", {})
        (table,) = [
            table
            for table in json.loads(data)
            if "stepTimeMs" in [column["id"] for column in table.get("cols", [])]
        ]
        found.append([row["c"][0]["v"] for row in table["rows"]])
    return found


def test_a_run_traces_the_steps_it_is_asked_to(tmp_path):
    experiment(tmp_path / "all", 5, profile_steps=(3, 4))
    assert traced_steps(tmp_path / "all") == [["train 3", "train 4"]]


def test_a_run_that_ends_before_keeps_what_it_traced(tmp_path):
    experiment(tmp_path / "short", 2, profile_steps=(2, 9))
    assert traced_steps(tmp_path / "short") == [["train 2"]]


def test_a_run_that_is_not_asked_traces_nothing(tmp_path):
    experiment(tmp_path / "none", 1)
    assert not (tmp_path / "none" / "plugins").exists()


@pytest.mark.parametrize("steps", [(0, 3), (5, 4)])
def test_steps_that_cannot_be_traced_are_refused(steps):
    with pytest.raises(ValueError, match=r"profile_steps=\("):
        TrainingOptions(steps=10, batch_size=1, profile_steps=steps)
