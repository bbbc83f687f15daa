"""What every layer and every model must do, in one place."""

import contextlib
import json
import tempfile

import keras
import numpy as np
import pytest


def run_layer_test(build, input_shape, output_shape, *, trainable, seed=0):
    """Puts a layer through shapes, calls, serialisation, precision and one training step.

    Args:
        build: makes the layer.
        input_shape: with a batch dimension, all known.
        output_shape: what a call must return.
        trainable: how many trainable variables it has once built.
    """
    inputs = np.random.default_rng(seed).standard_normal(input_shape).astype(np.float32)
    layer = build()
    outputs = keras.ops.convert_to_numpy(layer(inputs))
    assert outputs.shape == output_shape
    assert outputs.dtype == np.float32
    assert np.all(np.isfinite(outputs))
    assert len(layer.trainable_variables) == trainable
    assert tuple(layer.compute_output_shape(input_shape)) == output_shape
    check_serialisation(layer, inputs, outputs)
    check_symbolic(layer, inputs, outputs)
    for policy in ("mixed_bfloat16", "mixed_float16"):
        check_precision(build, policy, inputs, outputs)
    check_own_precision(layer, "mixed_float16", inputs, outputs)
    check_reload(build, "mixed_float16", inputs)
    if trainable:
        check_fit(build, inputs)


def check_serialisation(layer, inputs, outputs):
    """The configuration is JSON, and makes a layer that computes the same with the same weights."""
    config = json.loads(json.dumps(layer.get_config()))
    twin = type(layer).from_config(config)
    assert twin.get_config() == layer.get_config()
    twin(inputs)
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(twin(inputs)), outputs)


def check_symbolic(layer, inputs, outputs):
    """A functional model of unknown height and width gives what the eager call gave."""
    free = keras.Input((None, None, inputs.shape[-1]))
    model = keras.Model(free, layer(free))
    assert model.output_shape[1:3] == (None, None)
    np.testing.assert_allclose(model.predict(inputs, verbose=0), outputs, rtol=1e-4, atol=1e-5)


@contextlib.contextmanager
def global_policy(policy):
    """Keras's own policy within the block."""
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def check_precision(build, policy, inputs, outputs):
    """Under a mixed policy the output has the compute type and is close."""
    with global_policy(policy):
        keras.utils.set_random_seed(0)
        layer = build()
        layer(inputs)
    keras.utils.set_random_seed(0)
    exact = build()
    wanted = keras.ops.convert_to_numpy(exact(inputs))
    assert wanted.shape == outputs.shape
    layer.set_weights(exact.get_weights())
    check_close(layer(inputs), wanted, policy)


def check_own_precision(layer, policy, inputs, outputs):
    """A mixed policy given to the layer alone does the same, while Keras's own is float32."""
    twin = type(layer).from_config({**layer.get_config(), "dtype": policy})
    twin(inputs)
    twin.set_weights(layer.get_weights())
    check_close(twin(inputs), outputs, policy)


def check_reload(build, policy, inputs):
    """A functional model saved under a mixed policy computes the same when loaded in float32."""
    with global_policy(policy):
        free = keras.Input((None, None, inputs.shape[-1]))
        model = keras.Model(free, build()(free))
    wanted = model(inputs)
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        again = keras.models.load_model(f"{folder}/model.keras")
    np.testing.assert_array_equal(again(inputs), wanted)


def check_close(outputs, wanted, policy):
    """The outputs have the policy's compute type, and are what is wanted but for its rounding."""
    compute_dtype = keras.dtype_policies.get(policy).compute_dtype
    assert keras.backend.standardize_dtype(outputs.dtype) == compute_dtype
    close = keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))
    assert np.max(np.abs(close - wanted)) < 0.1 * np.max(np.abs(wanted))


def check_fit(build, inputs):
    """One step of Keras's own fit changes every trainable variable."""
    free = keras.Input((None, None, inputs.shape[-1]))
    layer = build()
    model = keras.Model(free, layer(free))
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    before = [variable.numpy() for variable in layer.trainable_variables]
    targets = np.random.default_rng(1).standard_normal(model(inputs).shape).astype(np.float32)
    model.fit(inputs, targets, epochs=3, verbose=0)
    for old, variable in zip(before, layer.trainable_variables, strict=True):
        assert not np.array_equal(old, variable.numpy()), f"{variable.path} did not train"


def raises_value_error(message):
    """`pytest.raises` for the house style of errors: a message and what was received."""
    return pytest.raises(ValueError, match=rf"(?s){message}.*Received: ")
