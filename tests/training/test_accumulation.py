"""Gradient accumulation: the step of a large batch, in pieces."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf import training
from mallenet_tf.common.errors import UserError
from mallenet_tf.training.step import TrainStep
from tests.helpers.training_cases import (
    TinyDenoiser,
    adam,
    assert_close_state,
    experiment,
    logged,
    state,
)

STEPS = 4


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"clip_norm": 0.02, "optimizer": adam(name="adamw", weight_decay=0.1)},
        {"precision": "mixed_float16", "clip_norm": 0.02},
    ],
    ids=["adam", "clipped_adamw", "mixed_float16"],
)
def test_accumulated_steps_equal_the_steps_of_the_whole_batch(tmp_path, case):
    for parts in (1, 4):
        experiment(tmp_path / f"{parts}", STEPS, accumulate=parts, **case)
    whole, parts = (state(tmp_path / name) for name in "14")
    half = "precision" in case  # whose convolutions round differently for pieces of the batch
    assert_close_state(whole, parts, 2e-2 if half else 2e-6)
    losses = [[loss for _, loss in logged(tmp_path / name)[0]["loss"]] for name in "14"]
    np.testing.assert_allclose(losses[0], losses[1], rtol=0, atol=1e-3 if half else 1e-6)


def test_the_pieces_are_processed_one_after_the_other():
    """The network sees one piece at a time, every sample once, and all pieces have one size."""
    seen = []

    class Noting(TinyDenoiser):
        def call(self, inputs, training=None, mask=None):
            tf.py_function(lambda x: seen.append(x.numpy()), [inputs], [])
            return super().call(inputs, training=training, mask=mask)

    model = Noting()
    optimizer = keras.optimizers.SGD(0.0)
    optimizer.build(model.trainable_variables)
    strategy = tf.distribute.get_strategy()
    batch = np.random.default_rng(0).random((12, 16, 16, 3), np.float32)
    step = TrainStep(strategy, model, optimizer, training.l1, 12, None, accumulate=3)
    step(tf.constant(batch), tf.constant(batch))
    assert [part.shape[0] for part in seen] == [4, 4, 4]
    np.testing.assert_array_equal(np.concatenate(seen), batch)


@pytest.mark.parametrize("parts", [0, 3, 1.5])
def test_pieces_that_do_not_divide_the_batch_are_refused(tmp_path, parts):
    with pytest.raises((UserError, ValueError), match=f"Received: .*accumulate={parts}"):
        experiment(tmp_path, STEPS, accumulate=parts)
