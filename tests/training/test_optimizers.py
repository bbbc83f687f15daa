"""Optimizers, schedules and the moving average, held to tensorflow-addons' recorded steps."""

import keras
import numpy as np
import pytest
from keras.optimizers.schedules import PiecewiseConstantDecay

from mallenet_tf.training import optimizers
from mallenet_tf.training.ema import averaged_weights


@pytest.fixture(scope="module")
def golden(repository):
    """What tools/golden/make_golden_optimizers.py wrote."""
    with np.load(repository / "tests" / "golden" / "optimizers_addons.npz") as stored:
        return dict(stored)


def array(variable) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))


class Weights(keras.Model):
    """A model that is nothing but one variable."""

    def __init__(self, initial):
        super().__init__()
        self.kernel = self.add_weight(shape=initial.shape, name="kernel")
        self.kernel.assign(initial)


def trajectory(optimizer, golden):
    """The weights and their averages after each of the recorded gradients."""
    model = Weights(golden["initial"])
    optimizer.build(model.trainable_variables)
    weights, averages = [], []
    for gradient in golden["gradients"]:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], model.trainable_variables)
        weights.append(array(model.kernel))
        with averaged_weights(model, optimizer):
            averages.append(array(model.kernel))
    return np.stack(weights), np.stack(averages)


@pytest.mark.parametrize("case", ["adamw", "adamw_schedule"])
def test_adamw_takes_the_steps_of_tensorflow_addons(golden, case):
    """Our weight decay is theirs divided by the learning rate; the tool multiplied."""
    rate = float(golden["learning_rate"])
    if case == "adamw_schedule":
        rate = PiecewiseConstantDecay([4, 8], [0.02, 0.01, 0.005])
    optimizer = optimizers.optimizer("adamw", rate, float(golden["weight_decay"]), ema=None)
    weights, _ = trajectory(optimizer, golden)
    np.testing.assert_allclose(weights, golden[f"{case}/weights"], rtol=0, atol=1e-6)
    undecayed = optimizers.optimizer("adamw", rate, 0.0, ema=None)
    assert np.abs(trajectory(undecayed, golden)[0] - weights).max() > 1e-4


def test_the_moving_average_is_that_of_tensorflow_addons_from_the_first_step(golden):
    decay = float(golden["decay"])
    optimizer = optimizers.optimizer("adam", float(golden["learning_rate"]), ema=decay)
    weights, averages = trajectory(optimizer, golden)
    np.testing.assert_allclose(
        weights, golden["average_from_first_step/weights"], rtol=0, atol=1e-6
    )
    np.testing.assert_allclose(
        averages, golden["average_from_first_step/average"], rtol=0, atol=1e-6
    )
    # Their default also averages in the initial weights, which fade as decay^step.
    steps = np.arange(1, len(weights) + 1)[:, None]
    from_initial = averages + decay**steps * (golden["initial"] - weights[0])
    np.testing.assert_allclose(from_initial, golden["average/average"], rtol=0, atol=1e-6)
    assert np.abs(averages - golden["average/average"]).max() > 1e-3


def test_cosine_at_key_steps():
    schedule = optimizers.cosine(peak=0.5, steps=110, warmup=10, final=0.1)
    at = lambda step: float(schedule(step))  # noqa: E731
    assert at(0) == 0.0
    assert at(5) == pytest.approx(0.25)
    assert at(10) == pytest.approx(0.5)
    assert at(35) == pytest.approx(0.1 + 0.4 * (1 + np.cos(np.pi / 4)) / 2)
    assert at(60) == pytest.approx(0.3)
    assert at(110) == pytest.approx(0.1)
    assert at(10_000) == pytest.approx(0.1)


def test_cosine_without_warmup_starts_at_the_peak():
    schedule = optimizers.cosine(peak=0.5, steps=100)
    assert float(schedule(0)) == 0.5
    assert float(schedule(50)) == pytest.approx(0.25, rel=1e-5)
    assert float(schedule(100)) == pytest.approx(1e-7, rel=1e-3)


@pytest.mark.parametrize("warmup", [-1, 10, 11])
def test_cosine_refuses_a_warmup_that_leaves_nothing(warmup):
    with pytest.raises(ValueError, match=f"Received: warmup={warmup}, steps=10"):
        optimizers.cosine(1e-3, 10, warmup)


def test_trapezoid_at_key_steps():
    schedule = optimizers.trapezoid(peak=0.5, steps=100, warmup=10, decay=40, final=0.1)
    at = lambda step: float(schedule(step))  # noqa: E731
    assert at(0) == pytest.approx(0.05)
    assert at(9) == at(30) == at(60) == 0.5
    assert at(80) == pytest.approx(0.3)
    assert at(100) == at(10_000) == pytest.approx(0.1)


def test_trapezoid_falls_from_the_end_of_its_rise_by_default():
    schedule = optimizers.trapezoid(peak=0.5, steps=110, warmup=10)
    assert float(schedule(10)) == 0.5
    assert float(schedule(60)) == pytest.approx(0.25)
    assert float(schedule(110)) == 0.0


def test_until_it_falls_a_trapezoid_does_not_depend_on_its_length():
    short, long = (optimizers.trapezoid(0.5, steps, 10, decay=40) for steps in (100, 1000))
    assert [float(short(step)) for step in range(61)] == [float(long(step)) for step in range(61)]


@pytest.mark.parametrize(
    "arguments, named",
    [
        ({"warmup": 7, "decay": 4}, "warmup=7, decay=4, steps=10"),
        ({"warmup": 10}, "warmup=10, decay=0, steps=10"),
        ({"warmup": -1}, "warmup=-1"),
        ({"final": 0.6}, "final=0.6, peak=0.5"),
    ],
)
def test_trapezoid_refuses_what_does_not_fit(arguments, named):
    with pytest.raises(ValueError, match=f"Received: {named}"):
        optimizers.trapezoid(0.5, 10, **arguments)


def test_optimizers_refuse_what_they_do_not_know():
    with pytest.raises(ValueError, match="Received: name='sgd'"):
        optimizers.optimizer("sgd", 1e-3)
    with pytest.raises(ValueError, match="use 'adamw'. Received: weight_decay=0.1"):
        optimizers.optimizer("adam", 1e-3, weight_decay=0.1)


def test_options_reach_keras():
    optimizer = optimizers.optimizer("adam", 1e-3, ema=None, beta_2=0.9)
    assert optimizer.beta_2 == 0.9
    assert not optimizer.use_ema


def test_two_optimizers_of_one_process_name_their_variables_alike():
    paths = []
    for _ in range(2):
        optimizer = optimizers.optimizer("adam", 1e-3)
        optimizer.build(Weights(np.ones(2, np.float32)).trainable_variables)
        paths.append([variable.path for variable in optimizer.variables])
    assert paths[0][:2] == paths[1][:2] == ["adam/iteration", "adam/learning_rate"]
