"""Python dispatches the next step while a step is computed, and reads losses one step late."""

import dataclasses
import threading

from mallenet_tf.training import TensorFlowSteps
from tests.helpers.training_cases import experiment

STEPS = 6


def test_a_step_ends_after_the_next_one_is_dispatched(tmp_path, monkeypatch):
    """A step here waits for the next dispatch; if Python waited for the step, both would hang."""
    dispatched = {number: threading.Event() for number in range(1, STEPS + 1)}
    in_time = {}
    dispatch, take = TensorFlowSteps.dispatch, TensorFlowSteps._take

    def noted_dispatch(self, step, until):
        started = dispatch(self, step, until)
        dispatched[step + 1].set()
        return started

    def waiting_take(self, number):
        taken = take(self, number)
        # The first step is awaited, since config.gin needs it, and the last has no next one.
        if 1 < number < STEPS:
            in_time[number] = dispatched[number + 1].wait(timeout=20)
        return taken

    monkeypatch.setattr(TensorFlowSteps, "dispatch", noted_dispatch)
    monkeypatch.setattr(TensorFlowSteps, "_take", waiting_take)
    experiment(tmp_path, STEPS, log_every=1000)
    assert in_time == {number: True for number in range(2, STEPS)}


def test_losses_are_read_one_step_late_and_before_they_are_logged(tmp_path, monkeypatch):
    order = []
    dispatch = TensorFlowSteps.dispatch

    def noted_dispatch(self, step, until):
        started = dispatch(self, step, until)
        order.append(("dispatch", started.first))
        losses = started.losses

        def noted_losses():
            order.append(("loss", started.first))
            return losses()

        return dataclasses.replace(started, losses=noted_losses)

    monkeypatch.setattr(TensorFlowSteps, "dispatch", noted_dispatch)
    experiment(tmp_path, STEPS, log_every=4)
    assert order == [
        ("dispatch", 1),
        ("loss", 1),  # config.gin is written after the first step
        ("dispatch", 2),
        ("dispatch", 3),
        ("loss", 2),
        ("dispatch", 4),
        ("loss", 3),
        ("loss", 4),
        ("dispatch", 5),
        ("dispatch", 6),
        ("loss", 5),
        ("loss", 6),
    ]
