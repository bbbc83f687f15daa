"""Networks for browsers: one operation for a PReLU, small weights, kernels of a chosen place."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from mallenet_tf.exporting.browser import convert_for_browser

NONE = np.array([-1, -1], np.float32)


@pytest.fixture(scope="module")
def content(conditioned) -> bytes:
    return convert_for_browser(conditioned)


@pytest.fixture(scope="module")
def run(content):
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda noisy, place=NONE: session.run(None, {"noisy": noisy, "place": place})[0]


@pytest.fixture(scope="module")
def noisy():
    return np.random.default_rng(5).uniform(0, 1, (1, 48, 32, 4)).astype(np.float32)


def test_a_converted_network_computes_the_same(conditioned, run, noisy):
    wanted = conditioned(noisy, training=False)
    # Weights of 11 bits; the image is in [0, 1] and the network changes it by 0.1 and more.
    np.testing.assert_allclose(run(noisy), wanted, rtol=0, atol=1e-3)


def test_the_kernels_of_a_place_are_those_of_the_layer(conditioned, run, noisy):
    place = (0.7, 0.2)

    def placed(layer):
        config = layer.get_config()
        return type(layer).from_config(
            config | {"position": place} if "pool_size" in config else config
        )

    functional = keras.Model(conditioned.inputs[0], conditioned.outputs[0])
    copy = keras.models.clone_model(functional, clone_function=placed)
    copy.set_weights(conditioned.get_weights())
    wanted = copy(noisy, training=False)
    found = run(noisy, np.array(place, np.float32))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)
    assert np.abs(found - run(noisy)).max() > 0.01  # the place matters


def test_every_prelu_is_one_operation(conditioned, content):
    kinds = [node.op_type for node in onnx.load_from_string(content).graph.node]
    layers = conditioned._flatten_layers()
    assert kinds.count("PRelu") == sum(type(layer).__name__ == "PReLU" for layer in layers)
    assert "Relu" not in kinds and "Neg" not in kinds


def test_weights_are_stored_in_half_the_bytes(content):
    for constant in onnx.load_from_string(content).graph.initializer:
        values = onnx.numpy_helper.to_array(constant)
        assert values.dtype != np.float32 or values.size < 64, constant.name
