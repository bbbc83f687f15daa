"""A loss or a weight that is not finite ends the run and spoils nothing."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf import training
from mallenet_tf.common.errors import run_main
from mallenet_tf.models import load_model
from mallenet_tf.training import CheckpointError, DivergedError
from tests.helpers.training_cases import Notes, Patches, experiment, state, values


def fragile(clean, denoised):
    """L1, but NaN for white images."""
    return training.l1(clean, denoised) + 0.0 * tf.math.log(1.0 - tf.reduce_mean(clean, [1, 2, 3]))


@pytest.mark.parametrize("log_every", [1, 1000])
def test_a_loss_that_is_not_a_number_ends_the_run(tmp_path, capsys, log_every):
    """White patches begin in the middle of the fifth batch of eight.

    The fifth loss is read before anything is saved: at once when it is logged, else after the sixth
    step is dispatched.
    """
    changes = {"loss": fragile, "sources": [Patches(white_from=36)], "save_every": 2}
    changes |= {"validate_every": 2, "log_every": log_every}

    def main(argv):
        experiment(tmp_path, 10, **changes)

    with pytest.raises(SystemExit) as stopped:
        run_main(main)([])
    assert stopped.value.code == 1
    message = capsys.readouterr().err
    assert "loss is nan at step 5" in message
    assert "diverged_at_step_5.npz" in message
    with np.load(tmp_path / "diverged_at_step_5.npz") as batch:
        assert batch["step"] == 5
        assert batch["noisy"].shape == batch["clean"].shape == (8, 16, 16, 3)
        white = np.all(batch["clean"] == 1.0, axis=(1, 2, 3))
        assert white.tolist() == [False] * 4 + [True] * 4
        # The noise is there too, to run the step again.
        assert 0.05 < np.std(batch["noisy"] - batch["clean"]) < 0.15
    stored = state(tmp_path)
    assert stored["step"] == 4
    assert all(np.all(np.isfinite(array)) for array in stored.values())
    for name in ("last.keras", "best.keras"):
        model = load_model(tmp_path / name)
        assert all(np.all(np.isfinite(array)) for array in values(model))

    with pytest.raises(DivergedError, match="at step 5"):  # resumes from 4, into the same data
        experiment(tmp_path, 10, **changes)


@tf.custom_gradient
def _poisonous(loss):
    return loss, lambda gradient: gradient * float("nan")


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    """Gradients may be NaN where the loss is not; the next loss would tell, but saving is first."""
    poison = []

    def loss(clean, denoised):
        value = training.l1(clean, denoised)
        return _poisonous(value) if poison else value

    experiment(tmp_path, 2, loss=loss, validation=Notes(scores=(1.0,)))
    poison.append(True)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.*") if "events" not in path.name}
    for when in ("save_every", "validate_every"):
        notes = Notes(scores=(2.0,))
        with pytest.raises(CheckpointError, match="After step 3, .* not finite, first model/0000"):
            experiment(tmp_path, 5, loss=loss, validation=notes, **{when: 3})
        assert not notes.weights
    files = ("state.npz", "last.keras", "best.keras")
    assert all(before[tmp_path / name] == (tmp_path / name).read_bytes() for name in files)


@pytest.mark.parametrize("options", [{}, {"save_every": 5}, {"validate_every": 5}, {"steps": 5}])
def test_what_is_due_at_the_diverging_step_is_not_done(tmp_path, options):
    """The validation's score would make it the best; its weights are still finite."""
    white = [Patches(white_from=36)]
    notes = Notes()
    with pytest.raises(DivergedError, match="at step 5"):
        experiment(
            tmp_path,
            **{"steps": 8, "log_every": 1000, "loss": fragile, "sources": white, **options},
            validation=notes,
        )
    assert not notes.weights
    assert not any((tmp_path / name).exists() for name in ("state.npz", "last.keras"))


@dataclasses.dataclass(frozen=True)
class Unreadable(Patches):
    """A source that fails at a patch, as a file does that was removed during the run."""

    def sample_function(self, shape, seed):
        make = super().sample_function(shape, seed)

        def checked(number):
            patch = make(number)
            with tf.control_dependencies([tf.debugging.assert_less(patch, tf.cast(255, tf.uint8))]):
                return tf.identity(patch)

        return checked


def test_data_that_cannot_be_read_end_the_run_with_their_error(tmp_path):
    """Steps are dispatched ahead; the error is that of the data, and no other run is hit."""
    with pytest.raises(tf.errors.InvalidArgumentError):
        experiment(tmp_path / "unreadable", 10, sources=[Unreadable(white_from=36)], log_every=1000)
    assert not (tmp_path / "unreadable" / "state.npz").exists()
    experiment(tmp_path / "next", 2)
    assert state(tmp_path / "next")["step"] == 2
