"""What is printed during a run, and how it is asked to stop."""

import io
import os
import signal
import threading

import pytest
from absl import logging

from mallenet_tf.training import TrainingOptions, progress
from mallenet_tf.training.stopping import StopRequest


@pytest.fixture
def lines(monkeypatch):
    written = []
    monkeypatch.setattr(logging, "info", written.append)
    return written


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test moves."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_plain_lines_show_rate_and_time_left(lines, clock):
    shown = progress.TrainingProgress(10, 40, batch_size=4)
    for step in range(11, 41):
        clock.now += 0.5
        shown.update(step)
        if step % 10 == 0:
            shown.report(step, 0.25)
        if step == 15:  # ten seconds of validation do not count
            clock.now += 10.0
            shown.leave_out(10.0)
    shown.close()
    assert lines == [
        "step 20/40  loss 0.25  8.0 images/s  0:00:10 left",
        "step 30/40  loss 0.25  8.0 images/s  0:00:05 left",
        "step 40/40  loss 0.25  8.0 images/s  0:00:00 left",
    ]


def test_more_than_a_day_left_is_shown_in_days(lines, clock):
    shown = progress.TrainingProgress(0, 2_200_000, batch_size=16)
    clock.now += 0.1
    shown.update(1)
    shown.report(1, 0.5)
    assert lines[0].endswith("2 days, 13:06:40 left")


def test_a_terminal_gets_a_bar(monkeypatch, lines):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    shown = progress.TrainingProgress(0, 4, batch_size=2)
    for step in range(1, 5):
        shown.update(step)
    assert shown.report(4, 0.125) > 0
    shown.say("a line")
    shown.close()
    drawn = terminal.getvalue()
    assert "4/4" in drawn and "loss 0.125" in drawn and "images/s" in drawn and "a line" in drawn
    assert not lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_the_second_acts_as_before(number):
    caught = []
    before = signal.signal(number, lambda *_: caught.append(number))
    try:
        with StopRequest() as stop:
            assert not stop.requested
            os.kill(os.getpid(), number)
            assert stop.requested and not caught
            os.kill(os.getpid(), number)
            assert caught == [number]
        os.kill(os.getpid(), number)
        assert caught == [number] * 2
    finally:
        signal.signal(number, before)


def test_handlers_are_restored_without_a_signal():
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
    assert not stop.requested


def test_training_works_outside_the_main_thread():
    """Python refuses signal handlers there."""
    failures = []

    def work():
        try:
            with StopRequest() as stop:
                assert not stop.requested
        except ValueError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures


@pytest.mark.parametrize(
    "option, value",
    [("steps", 0), ("batch_size", -1), ("log_every", 0), ("save_every", 2.5), ("steps", "many")],
)
def test_options_must_be_positive_integers(option, value):
    with pytest.raises(ValueError, match=f"{option} must be an integer.*{option}={value!r}"):
        TrainingOptions(**{"steps": 10, "batch_size": 2, option: value})


@pytest.mark.parametrize("norm", [0.0, -1.0, float("nan")])
def test_the_clipping_norm_must_be_positive(norm):
    with pytest.raises(ValueError, match="Received: clip_norm="):
        TrainingOptions(steps=10, batch_size=2, clip_norm=norm)
