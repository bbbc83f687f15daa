"""The state on disk: what does not fit or is damaged is refused, and a good file survives."""

import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from mallenet_tf.training import CheckpointError, checkpoint
from mallenet_tf.training.checkpoint import restore_state, save_state


def array(variable) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))


def network(units=2, optimizer="Adam", **options):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(units, name="dense")], name="network"
    )
    built = getattr(keras.optimizers, optimizer)(name=optimizer.lower(), **options)
    built.build(model.trainable_variables)
    return model, built


@pytest.fixture
def saved(tmp_path):
    model, optimizer = network()
    save_state(tmp_path / "state.npz", 7, model, optimizer)
    return tmp_path / "state.npz", model, optimizer


def test_what_was_saved_comes_back(saved):
    path, model, optimizer = saved
    optimizer.iterations.assign(9)
    save_state(path, 9, model, optimizer)
    other_model, other_optimizer = network()
    assert restore_state(path, other_model, other_optimizer) == 9
    assert int(other_optimizer.iterations) == 9
    for first, second in zip(model.variables, other_model.variables, strict=True):
        np.testing.assert_array_equal(array(first), array(second))


@pytest.mark.parametrize(
    "other, difference",
    [
        ({"units": 5}, "model/0000/network/dense/kernel"),
        ({"optimizer": "SGD"}, "optimizer/0000/adam/iteration"),
        ({"use_ema": True}, "average"),
    ],
)
def test_another_configuration_is_refused_by_its_first_difference(saved, other, difference):
    path, _, _ = saved
    model, optimizer = network(**other)
    before = [array(variable) for variable in model.variables]
    with pytest.raises(CheckpointError, match=f"first difference: .*{difference}"):
        restore_state(path, model, optimizer)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(array(variable), value)


def test_a_damaged_file_is_refused_or_read_right(saved):
    """Flips every byte of the file once; changed values are never restored."""
    path, model, optimizer = saved
    content = path.read_bytes()
    expected = [array(variable) for variable in model.variables]
    refused = 0
    for position in range(0, len(content), 3):
        path.write_bytes(
            content[:position] + bytes([content[position] ^ 0x41]) + content[position + 1 :]
        )
        try:
            step = restore_state(path, model, optimizer)
        except CheckpointError as error:
            refused += 1
            assert str(path) in str(error)
        else:
            assert step == 7
            for variable, value in zip(model.variables, expected, strict=True):
                np.testing.assert_array_equal(array(variable), value)
    assert refused > len(content) / 3 / 2


@pytest.mark.parametrize("length", [0, 1, 100, 1000, -100, -1])
def test_a_file_cut_short_is_refused(saved, length):
    path, model, optimizer = saved
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="damaged"):
        restore_state(path, model, optimizer)


@pytest.mark.parametrize("content", [b"not a state at all", b"\x93NUMPY\x01\x00"])
def test_another_kind_of_file_is_refused(saved, content):
    path, model, optimizer = saved
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        restore_state(path, model, optimizer)
    np.save(path.with_suffix(".npy"), np.ones(3))
    path.with_suffix(".npy").rename(path)
    with pytest.raises(CheckpointError, match="damaged"):
        restore_state(path, model, optimizer)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_and_the_old_file_kept(saved, value):
    path, model, optimizer = saved
    before = path.read_bytes()
    kernel = array(model.variables[0])
    kernel[1, 1] = value
    model.variables[0].assign(kernel)
    with pytest.raises(CheckpointError, match="step 8, 1 variables .* first model/0000"):
        save_state(path, 8, model, optimizer)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["state.npz"]


def test_a_full_disk_leaves_the_old_file(saved, monkeypatch):
    path, model, optimizer = saved
    before = path.read_bytes()

    def full(file, **arrays):
        file.write_bytes(b"half a file")
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoint.np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        save_state(path, 8, model, optimizer)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["state.npz"]


KILLED_WHILE_SAVING = """
import os, signal, sys
from pathlib import Path
from tests.training.test_checkpoint import network
from mallenet_tf.training import checkpoint

def half(file, **arrays):
    file.write_bytes(b"half a file")
    os.kill(os.getpid(), signal.SIGKILL)

checkpoint.np.savez = half
checkpoint.save_state(Path(sys.argv[1]), 8, *network())
"""


def test_killed_while_saving_leaves_the_old_file(saved, repository, environment):
    path, model, optimizer = saved
    before = path.read_bytes()
    command = [sys.executable, "-c", KILLED_WHILE_SAVING, str(path)]
    process = subprocess.run(command, env=environment, check=False)
    assert process.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    assert restore_state(path, model, optimizer) == 7
