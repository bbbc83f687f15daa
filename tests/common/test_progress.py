"""Progress: a bar on a terminal, log lines elsewhere, and nothing of a single item."""

import contextlib
import io
import logging
import sys

import pytest

from mallenet_tf.common import progress as module
from mallenet_tf.common.progress import Progress, print_line, progress


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, logger=module.__name__)
    return caplog


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by ten seconds at each look."""
    times = iter(range(0, 10_000, 10))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))


class Terminal(io.StringIO):
    """A terminal that keeps what is written."""

    def isatty(self):
        return True


def test_items_come_as_they_are(log):
    assert list(progress(iter("abc"), 3, "letters")) == ["a", "b", "c"]
    assert log.messages[-1].startswith("letters: 3/3 files, ")


def test_lines_are_logged_now_and_then(log, clock):
    assert len(list(progress(range(10), 10, "work", unit="frame", keep=False))) == 10
    # The clock is looked at twice before the first item; a line needs more than 30 seconds.
    assert [message.split(",")[0] for message in log.messages] == [
        "work: 3/10 frames",
        "work: 7/10 frames",
    ]
    assert log.messages[0].endswith("0.1 a second, 93 s left")


def test_nothing_is_shown_of_a_single_item(log):
    with contextlib.redirect_stderr(Terminal()) as terminal:
        assert list(progress("a", 1, "work")) == ["a"]
    assert list(progress("a", 1, "work")) == ["a"]
    assert terminal.getvalue() == "" and log.messages == []


@pytest.mark.parametrize("keep", [True, False])
def test_a_terminal_gets_a_bar(log, keep):
    with (
        contextlib.redirect_stderr(Terminal()) as terminal,
        Progress("work", unit="tile", keep=keep) as show,
    ):
        for done in range(5):
            show(done, 4)
    assert "work:" in terminal.getvalue() and log.messages == []
    assert ("4/4" in terminal.getvalue().split("\r")[-1]) == keep


def test_a_line_is_printed_at_once(capsys):
    print_line("done", sys.stdout)
    assert capsys.readouterr().out == "done\n"
