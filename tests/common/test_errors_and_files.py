"""One line for a user's mistake, a traceback for ours, and files that are whole or not there."""

import errno
import os

import pytest

from mallenet_tf.common.errors import UserError, run_main, user_input, user_output
from mallenet_tf.common.files import atomic_path


def _status(outcome) -> int | str | None:
    def main(argv):
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    with pytest.raises(SystemExit) as stop:
        run_main(main)([])
    return stop.value.code


def test_a_users_mistake_is_one_line_and_status_1(capsys):
    assert _status(UserError("no such thing")) == 1
    assert capsys.readouterr().err == "error: no such thing\n"


def test_statuses_are_passed_on(capsys):
    assert _status(None) == 0
    assert _status(3) == 3
    assert _status(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, OSError, TypeError])
def test_a_defect_keeps_its_traceback(kind, capsys):
    def main(argv):
        raise kind("ours")

    with pytest.raises(kind, match="ours"):
        run_main(main)([])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [ValueError("bad value"), FileNotFoundError("bad value")])
def test_what_the_user_named_is_to_blame_for_errors_in_the_block(error):
    with pytest.raises(UserError, match="^bad value$") as caught, user_input():
        raise error
    assert caught.value.__cause__ is error
    with pytest.raises(KeyError), user_input():
        raise KeyError("a defect")


def test_what_cannot_be_written_is_a_users_mistake_and_a_wrong_value_is_not():
    with (
        pytest.raises(UserError, match="^The output .*No space.* Received: a.csv$"),
        user_output("a.csv"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(ValueError, match="a defect"), user_output("a.csv"):
        raise ValueError("a defect")


def test_atomic_path_replaces_the_file_when_all_is_written(tmp_path):
    path = tmp_path / "new folder" / "result.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("first")
        assert temporary.parent == path.parent
        assert temporary.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "first"
    assert [file.name for file in path.parent.iterdir()] == ["result.txt"]


def test_atomic_path_keeps_what_was_there_when_writing_fails(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["result.txt"]


def test_a_result_can_be_read_by_others(tmp_path):
    with atomic_path(tmp_path / "result.txt") as temporary:
        temporary.write_text("for all")
    plain = tmp_path / "plain.txt"
    plain.write_text("for all")
    assert (tmp_path / "result.txt").stat().st_mode == plain.stat().st_mode


def test_leftovers_of_killed_processes_go_and_nothing_else(tmp_path):
    with atomic_path(tmp_path / "IMG.png") as temporary:
        name = temporary.name
    dead = name.replace(f"-{os.getpid()}-", "-2147483001-")
    other = [".IMG-2147483001-01234567.png", ".IMG.mallenet-elsewhere-2147483001-01234567.png"]
    for left in (dead, *other):
        (tmp_path / left).touch()
    with atomic_path(tmp_path / "IMG-2147483001.png"), atomic_path(tmp_path / "IMG.png"):
        pass
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"IMG.png", "IMG-2147483001.png", *other}
