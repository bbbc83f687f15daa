"""The moving average of the weights, where it is used, and which checkpoint is the best."""

import json
import math

import keras
import numpy as np
import pytest

from mallenet_tf.models import load_model
from mallenet_tf.training import optimizers
from mallenet_tf.training.ema import averaged_weights
from tests.helpers.training_cases import Notes, experiment, state, values


@pytest.fixture
def stepped():
    """A layer after three Adam steps, its optimizer, and the weights after each step."""
    layer = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    optimizer = optimizers.optimizer("adam", 0.1, ema=0.75)
    optimizer.build(layer.trainable_variables)
    random = np.random.default_rng(3)
    path = []
    for _ in range(3):
        gradients = [
            keras.ops.convert_to_tensor(random.standard_normal(variable.shape), "float32")
            for variable in layer.trainable_variables
        ]
        optimizer.apply(gradients, layer.trainable_variables)
        path.append(values(layer))
    return layer, optimizer, path


def test_the_average_is_the_one_computed_by_hand(stepped):
    layer, optimizer, path = stepped
    with averaged_weights(layer, optimizer):
        averages = values(layer)
    for average, first, second, third in zip(averages, *path, strict=True):
        expected = 0.75 * (0.75 * first + 0.25 * second) + 0.25 * third
        np.testing.assert_allclose(average, expected, rtol=0, atol=1e-6)


def test_the_live_weights_come_back_even_after_an_error(stepped):
    layer, optimizer, path = stepped
    with pytest.raises(KeyError), averaged_weights(layer, optimizer):
        assert not np.array_equal(values(layer)[0], path[-1][0])
        raise KeyError
    for live, last in zip(values(layer), path[-1], strict=True):
        np.testing.assert_array_equal(live, last)


def test_without_an_average_the_live_weights_are_used():
    layer = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    before = values(layer)
    for ema in (None, 0.9):
        optimizer = optimizers.optimizer("adam", 0.1, ema=ema)
        optimizer.build(layer.trainable_variables)
        with averaged_weights(layer, optimizer):  # before the first step
            np.testing.assert_array_equal(values(layer)[0], before[0])


def test_validation_checkpoints_and_result_hold_the_averages(tmp_path):
    notes = Notes(scores=(1.0, 3.0, 2.0))
    trained = experiment(tmp_path, 3, validate_every=1, validation=notes)
    stored = state(tmp_path)
    averages = [array for name, array in stored.items() if name.endswith("_average")]
    live = [array for name, array in stored.items() if name.startswith("model/")]
    for shown, average, weights in zip(notes.weights[-1], averages, live, strict=True):
        np.testing.assert_array_equal(shown, average)
        assert not np.array_equal(shown, weights)
    _assert_holds(trained, notes.weights[2])
    _assert_holds(load_model(tmp_path / "last.keras"), notes.weights[2])
    _assert_holds(load_model(tmp_path / "best.keras"), notes.weights[1])


def test_a_resumed_run_remembers_its_best(tmp_path):
    first, second = Notes(scores=(1.0, 4.0)), Notes(scores=(3.0,))
    experiment(tmp_path, 2, validate_every=1, validation=first)
    experiment(tmp_path, 3, validate_every=1, validation=second)
    _assert_holds(load_model(tmp_path / "best.keras"), first.weights[1])
    _assert_holds(load_model(tmp_path / "last.keras"), second.weights[0])
    assert json.loads((tmp_path / "run.json").read_text())["best_psnr"] == 4.0


def test_a_best_that_is_not_finite_is_forgotten(tmp_path):
    """Nothing is better than infinity, which older versions wrote."""
    experiment(tmp_path, 1, validation=Notes(scores=(math.inf,)))
    notes = Notes(scores=(3.0,))
    experiment(tmp_path, 2, validation=notes)
    _assert_holds(load_model(tmp_path / "best.keras"), notes.weights[0])
    assert json.loads((tmp_path / "run.json").read_text())["best_psnr"] == 3.0


def test_a_run_that_begins_anew_forgets_an_older_best(tmp_path):
    experiment(tmp_path, 1, validation=Notes(scores=(4.0,)))
    (tmp_path / "state.npz").unlink()
    notes = Notes(scores=(3.0,))
    experiment(tmp_path, 2, validation=notes)
    _assert_holds(load_model(tmp_path / "best.keras"), notes.weights[0])


def _assert_holds(model, weights):
    for variable, array in zip(values(model), weights, strict=True):
        np.testing.assert_array_equal(variable, array)
