"""The annealed loss of groups: its value, its step, and that it resumes with a run."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf import training
from mallenet_tf.common.errors import UserError
from mallenet_tf.training import AnnealedGroups, optimizers
from mallenet_tf.training.step import TrainStep
from tests.helpers.training_cases import (
    Notes,
    TinyDenoiser,
    TinyGroups,
    assert_close_state,
    assert_same_state,
    experiment,
    logged,
    state,
)

LOSS = AnnealedGroups(eta=10.0, gamma=0.5)


def test_the_defaults_are_the_papers():
    loss = AnnealedGroups()
    assert (loss.loss, loss.eta, loss.gamma) == (training.l1, 100.0, 0.9998)


@pytest.mark.parametrize("step", [0, 1, 3000])
@pytest.mark.parametrize("inner", [training.l1, training.l2])
def test_the_value_is_equation_11(step, inner):
    random = np.random.default_rng(0)
    clean, denoised = random.random((2, 3, 4, 5, 2), np.float32)
    groups = random.random((3, 4, 5, 6), np.float32)
    power = 1 if inner is training.l1 else 2

    def plain(image):
        return np.mean(np.abs(image.astype(np.float64) - clean) ** power, axis=(1, 2, 3))

    parts = sum(plain(groups[..., start : start + 2]) for start in (0, 2, 4))
    wanted = plain(denoised) + 100 * 0.9998**step * parts
    value = AnnealedGroups(inner)(clean, denoised, groups, step)
    np.testing.assert_allclose(value, wanted, rtol=1e-4)


def test_the_step_is_that_of_the_optimizer():
    """At a learning rate of zero only the groups' weight changes, by gamma in every step."""
    model = TinyGroups()
    random = np.random.default_rng(0)
    noisy, clean = random.random((2, 4, 16, 16, 3), np.float32)

    def losses(loss, steps, started=0):
        optimizer = keras.optimizers.SGD(0.0)
        optimizer.build(model.trainable_variables)
        optimizer.iterations.assign(started)
        step = TrainStep(tf.distribute.get_strategy(), model, optimizer, loss, 4, None)
        return np.array([float(step(noisy, clean)) for _ in range(steps)])

    plain = losses(training.l1, 1)
    annealed = losses(LOSS, 4) - plain
    np.testing.assert_allclose(annealed[1:] / annealed[:-1], 0.5, rtol=1e-5)
    groups = keras.Model(model.inputs[0], model.group_results)(noisy)
    parts = [np.mean(np.abs(groups[..., part] - clean)) for part in (np.s_[:3], np.s_[3:])]
    np.testing.assert_allclose(annealed[0], 10.0 * sum(parts), rtol=1e-5)
    np.testing.assert_allclose(losses(LOSS, 1, started=2) - plain, annealed[2], rtol=1e-5)
    np.testing.assert_allclose(losses(LOSS, 1, started=60), plain, rtol=1e-6)


def test_a_run_stopped_halfway_ends_with_the_same_bits(tmp_path):
    changes = {"model": TinyGroups, "loss": LOSS, "validate_every": 2}
    experiment(tmp_path / "whole", 4, **changes)
    experiment(tmp_path / "parts", 4, validation=Notes(stop_at=1), **changes)
    assert state(tmp_path / "parts")["step"] == 2
    experiment(tmp_path / "parts", 4, **changes)
    assert_same_state(state(tmp_path / "parts"), state(tmp_path / "whole"))
    first, *_, last = [loss for _, loss in logged(tmp_path / "whole")[0]["loss"]]
    assert last < 0.5 * first


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_accumulated_steps_equal_the_steps_of_the_whole_batch(tmp_path, precision):
    loss = AnnealedGroups(eta=0.5, gamma=0.5)  # with more the scaled loss overflows float16
    for parts in (1, 4):
        folder = tmp_path / f"{parts}"
        experiment(folder, 2, accumulate=parts, model=TinyGroups, loss=loss, precision=precision)
    tolerance = 2e-6 if precision == "float32" else 2e-2
    assert_close_state(state(tmp_path / "1"), state(tmp_path / "4"), tolerance)


def test_a_network_without_groups_is_named(tmp_path):
    with pytest.raises(UserError, match="several groups of taps.*Received: model=tiny"):
        experiment(tmp_path, 1, model=TinyDenoiser, loss=LOSS)


@pytest.mark.parametrize("wrong", [{"eta": -1.0}, {"gamma": 0.0}, {"gamma": 1.1}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="gamma in .*Received: eta="):
        AnnealedGroups(**wrong)


def test_the_learning_rate_falls_to_its_floor():
    """deformable_kernels.txt, section 4: by 0.999991 from 2e-4 to 1e-4, read as per step."""
    schedule = optimizers.exponential(2e-4, 0.999991, 1e-4)
    rates = [float(schedule(step)) for step in (0, 1000, 76_000, 78_000, 200_000)]
    falling = [2e-4 * 0.999991**step for step in (0, 1000, 76_000)]
    np.testing.assert_allclose(rates[:3], falling, rtol=3e-3)
    np.testing.assert_allclose(rates[3:], 1e-4, rtol=1e-6)
    twin = type(schedule).from_config(schedule.get_config())
    assert float(twin(1000)) == rates[1]
    with pytest.raises(ValueError, match="Received: peak=.*factor=1.5"):
        optimizers.exponential(1e-3, 1.5, 1e-4)
