"""Mixed precision: float16 with a loss scale, bfloat16, and models that load as float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf import training
from mallenet_tf.models import build_model, load_model
from mallenet_tf.training import precision_policy
from mallenet_tf.training.step import TrainStep
from tests.helpers.training_cases import (
    PATCH,
    TinyDenoiser,
    adam,
    experiment,
    logged,
    state,
    values,
)


def test_an_overflow_changes_no_weight_and_halves_the_scale():
    with precision_policy("mixed_float16"):
        model = TinyDenoiser()
    optimizer = keras.optimizers.LossScaleOptimizer(adam()())
    optimizer.build(model.trainable_variables)
    scale = float(optimizer.dynamic_scale)
    factor = tf.Variable(1e9)  # the scaled gradient does not fit float16
    step = TrainStep(
        tf.distribute.get_strategy(),
        model,
        optimizer,
        lambda clean, denoised: factor * training.l1(clean, denoised),
        batch_size=2,
        clip_norm=1.0,
    )
    clean = np.full((2, PATCH, PATCH, 3), 0.5, np.float32)
    noisy = clean + np.linspace(-0.2, 0.2, PATCH, dtype=np.float32)[:, None]
    before = values(model)
    assert np.isfinite(step(noisy, clean))
    for first, second in zip(values(model), before, strict=True):
        np.testing.assert_array_equal(first, second)
    assert float(optimizer.dynamic_scale) == scale / 2
    assert int(optimizer.iterations) == 0
    factor.assign(1.0)
    step(noisy, clean)  # the warm-up's rate is 0 in the first step that counts
    step(noisy, clean)
    assert int(optimizer.iterations) == 2
    assert float(optimizer.dynamic_scale) == scale / 2
    assert not np.array_equal(values(model)[0], before[0])


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains_and_loads_as_float32(precision, tmp_path):
    trained = experiment(tmp_path, 20, precision=precision, clip_norm=1.0)
    assert trained.get_layer("stem").compute_dtype == precision.removeprefix("mixed_")
    scalars, _ = logged(tmp_path)
    losses = [loss for _, loss in scalars["loss"]]
    assert len(losses) == 20
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert all(array.dtype == np.float32 for array in values(trained))
    assert ("dynamic_scale" in " ".join(state(tmp_path))) == (precision == "mixed_float16")
    # The policy ended with the run.
    assert keras.mixed_precision.dtype_policy().name == "float32"
    loaded = load_model(tmp_path / "last.keras")
    assert loaded.get_layer("stem").compute_dtype == "float32"
    exact = TinyDenoiser()
    exact.set_weights(trained.get_weights())
    image = np.random.default_rng(0).uniform(size=(1, 32, 24, 3)).astype(np.float32)
    wanted = keras.ops.convert_to_numpy(exact(image))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded(image)), wanted)
    mixed = keras.ops.convert_to_numpy(trained(image))
    assert mixed.dtype == np.float32
    assert 0.0 < np.abs(mixed - wanted).max() < 0.02


def test_a_mallenet_saved_in_mixed_precision_loads_as_float32(tmp_path):
    with precision_policy("mixed_bfloat16"):
        mixed = build_model("mallenet_s", width=1, blocks=0, implementation="reference")
    mixed.save(tmp_path / "mixed.keras")
    loaded = load_model(tmp_path / "mixed.keras")
    assert loaded.get_layer("noise").compute_dtype == "float32"
    image = np.random.default_rng(1).uniform(size=(1, 16, 16, 3)).astype(np.float32)
    difference = np.abs(mixed(image) - loaded(image)).max()
    assert 0.0 < difference < 0.05


def test_another_precision_is_refused():
    with (
        pytest.raises(ValueError, match="Received: precision='float8'"),
        precision_policy("float8"),
    ):
        pass
