"""Preparing a data set from the command line: messages, interruption, repetition."""

import fcntl
import os

import pytest

from mallenet_tf.common.errors import UserError
from mallenet_tf.data.datasets import examples, preparation
from mallenet_tf.data.datasets.builders import BUILDERS
from mallenet_tf.data.datasets.catalog import DATA_SETS
from tests.helpers import fake_data_sets as fakes
from tests.helpers.binaries import run_binary


@pytest.fixture
def wed(monkeypatch, tmp_path):
    """The folders of a fake: where its files are, and where it goes."""
    fakes.make("wed", tmp_path / "manual")
    monkeypatch.setattr(BUILDERS["wed"], "data_set", fakes.shrunk(DATA_SETS["wed"]))
    return str(tmp_path / "manual"), str(tmp_path / "data")


def written(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_the_list_names_everything(repository):
    done = run_binary("data.prepare", repository, "--list")
    assert done.returncode == 0
    for name, data_set in DATA_SETS.items():
        assert f"\n{name}: " in "\n" + done.stdout and data_set.page in done.stdout
    assert "sidd_medium/blocks512: " in done.stdout


def test_missing_files_end_without_a_traceback(repository, tmp_path):
    fakes.make("wed", tmp_path / "manual")
    done = run_binary(
        "data.prepare",
        repository,
        "wed",
        f"--manual_dir={tmp_path / 'manual'}",
        f"--data_dir={tmp_path / 'data'}",
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: wed: train: found 3 of 4744 files")
    assert "00004.bmp" in last and DATA_SETS["wed"].page in last
    assert "Traceback" not in done.stderr
    assert not written(tmp_path / "data")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name one data set"),
        (["wed", "flickr2k"], "Name one data set"),
        (["wed"], "Give --manual_dir"),
        (["wed", "--manual_dir=/nowhere"], "exploration_database_and_code.rar"),
        (["xyz", "--manual_dir=/nowhere"], "Received: xyz"),
    ],
)
def test_mistakes_are_one_line(repository, arguments, message):
    done = run_binary("data.prepare", repository, *arguments)
    assert done.returncode == 1
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_a_second_time_changes_nothing(wed, tmp_path):
    first = preparation.prepare("wed", *wed)
    assert "train 3 examples" in first and str(tmp_path / "data") in first
    before = {path: path.stat().st_mtime_ns for path in written(tmp_path / "data")}
    assert preparation.prepare("wed", *wed) == first
    assert {path: path.stat().st_mtime_ns for path in written(tmp_path / "data")} == before


def test_progress_is_told_in_plain_lines(wed, caplog):
    with caplog.at_level("INFO"):
        preparation.prepare("wed", *wed)
    assert any("wed/1.0.0 train: 3/3 files" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("failure", "raised"), [(KeyboardInterrupt, KeyboardInterrupt), (OSError, UserError)]
)
def test_an_interrupted_preparation_leaves_nothing_and_can_be_repeated(
    wed, failure, raised, monkeypatch, tmp_path
):
    whole, called = examples.image_examples, []

    def stops(*arguments, **settings):
        called.append(arguments)
        if len(called) > 1:
            raise failure
        return whole(*arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(examples, "image_examples", stops)
        with pytest.raises(raised):
            preparation.prepare("wed", *wed)
    assert called and not written(tmp_path / "data")
    assert "train 3 examples" in preparation.prepare("wed", *wed)


def test_what_a_killed_preparation_left_is_removed(wed, tmp_path):
    left = tmp_path / "data" / "wed" / "incomplete.AB12CD_1.0.0"
    left.mkdir(parents=True)
    (left / "wed-train.array_record-00000-of-00001").write_bytes(b"half")
    preparation.prepare("wed", *wed)
    assert [path.name for path in left.parent.iterdir()] == ["1.0.0"]


def test_two_preparations_of_one_data_set_do_not_meet(wed, tmp_path):
    folder = tmp_path / "data" / "wed"
    folder.mkdir(parents=True)
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(UserError, match="Another preparation of .*wed/1.0.0 is running"):
            preparation.prepare("wed", *wed)
    finally:
        os.close(handle)
    preparation.prepare("wed", *wed)
