"""What malleable_slice refuses, and with which words; shapes inferred in graphs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.ops import malleable_slice

FEATURES, KERNELS, BIAS = (2, 8, 6, 4), (2, 3, 2, 9, 4), (2, 3, 2, 4)

WRONG_SHAPES = [
    ((8, 6, 4), KERNELS, BIAS, "`features` must have rank 4.*features.shape=.8, 6, 4"),
    (FEATURES, (2, 3, 2, 36), BIAS, "`kernels` must have rank 5.*kernels.shape=.2, 3, 2, 36"),
    (FEATURES, (1, 3, 2, 9, 4), BIAS, "Dimension 0 of `kernels`.*`features`, 2.*shape=.1, 3"),
    (FEATURES, (2, 3, 2, 9, 5), BIAS, "Dimension 4 of `kernels`.*`features`, 4.*9, 5"),
    (FEATURES, (2, 3, 2, 4, 4), BIAS, r"Dimension 3 of `kernels` must be K \* K for an odd K"),
    (FEATURES, (2, 3, 2, 6, 4), BIAS, r"Dimension 3 of `kernels` must be K \* K for an odd K"),
    (FEATURES, (2, 3, 2, 0, 4), BIAS, r"Dimension 3 of `kernels` must be K \* K for an odd K"),
    (FEATURES, (2, 0, 2, 9, 4), BIAS, "`kernels` must have at least one grid cell.*2, 0, 2"),
    (FEATURES, KERNELS, (2, 3, 2, 1, 4), "`bias` must have rank 4.*2, 3, 2, 1, 4"),
    (FEATURES, KERNELS, (2, 3, 3, 4), "Dimension 2 of `bias`.*`kernels`, 2.*2, 3, 3, 4"),
]


@pytest.mark.parametrize(("features", "kernels", "bias", "message"), WRONG_SHAPES)
def test_wrong_shapes_are_named(implementation, features, kernels, bias, message):
    with pytest.raises(ValueError, match=message):
        malleable_slice(
            np.zeros(features, np.float32),
            np.zeros(kernels, np.float32),
            np.zeros(bias, np.float32),
            implementation=implementation,
        )


@pytest.mark.parametrize("name", ["kernels", "bias"])
def test_mixed_types_are_named(implementation, name):
    arguments = {
        "features": tf.zeros(FEATURES),
        "kernels": tf.zeros(KERNELS),
        "bias": tf.zeros(BIAS),
    }
    arguments[name] = tf.cast(arguments[name], "float16")
    with pytest.raises(ValueError, match=f"`{name}` must have the type.*{name}.dtype=float16"):
        malleable_slice(**arguments, implementation=implementation)


def test_integers_are_refused():
    zeros = [tf.zeros(shape, "int32") for shape in (FEATURES, KERNELS, BIAS)]
    with pytest.raises(ValueError, match="features.dtype=int32"):
        malleable_slice(*zeros)


def test_unknown_implementation_is_refused():
    with pytest.raises(ValueError, match="implementation='fast'"):
        malleable_slice(tf.zeros(FEATURES), tf.zeros(KERNELS), implementation="fast")


def test_placeholders_of_the_functional_api_are_refused():
    inputs = keras.Input((8, 6, 4), batch_size=2)
    with pytest.raises(ValueError, match="MalleConv.*Received: features=<KerasTensor"):
        malleable_slice(inputs, tf.zeros(KERNELS))


def test_native_cannot_be_had_where_it_is_switched_off(monkeypatch):
    monkeypatch.setenv("MALLENET_NATIVE_OP", "off")
    with pytest.raises(ValueError, match="is not available.*implementation='native'"):
        malleable_slice(tf.zeros(FEATURES), tf.zeros(KERNELS), implementation="native")
    assert malleable_slice(tf.zeros(FEATURES), tf.zeros(KERNELS)).shape == FEATURES


def call_native(native, features, kernels, bias):
    return native.malleable_slice(features=features, kernels=kernels, bias=[bias])


CPP_MESSAGES = [
    ((8, 6, 4), KERNELS, BIAS, r"features must have rank 4.*Received.*\[8,6,4\]"),
    (FEATURES, (2, 3, 2, 36), BIAS, r"kernels must have rank 5.*Received.*\[2,3,2,36\]"),
    (FEATURES, (1, 3, 2, 9, 4), BIAS, r"kernels.*the batch.*Received.*\[1,3,2,9,4\]"),
    (FEATURES, (2, 3, 2, 9, 5), BIAS, r"kernels.*channels of features.*\[2,3,2,9,5\]"),
    (FEATURES, (2, 3, 2, 4, 4), BIAS, r"kernels must have K \* K for an odd K.*\[2,3,2,4,4\]"),
    (FEATURES, KERNELS, (2, 3, 3, 4), r"bias.*kernels.*Received: bias of shape \[2,3,3,4\]"),
]


@pytest.mark.parametrize(("features", "kernels", "bias", "message"), CPP_MESSAGES)
def test_the_library_itself_names_wrong_shapes(native, features, kernels, bias, message):
    inputs = [tf.zeros(shape) for shape in (features, kernels, bias)]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        call_native(native, *inputs)
    # While a graph is traced the shape function says the same.
    with pytest.raises(ValueError, match=message):
        tf.function(lambda *args: call_native(native, *args)).get_concrete_function(*inputs)
    # And where the shapes are not known until it runs, the kernel does.
    unknown = [tf.TensorSpec(None, "float32")] * 3
    run = tf.function(lambda *args: call_native(native, *args), input_signature=unknown)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        run(*inputs)


def test_the_library_refuses_an_empty_grid(native):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"one grid cell.*\[2,0,2,9,4\]"):
        call_native(native, tf.zeros(FEATURES), tf.zeros((2, 0, 2, 9, 4)), tf.zeros((2, 0, 2, 4)))


def test_the_library_checks_the_incoming_gradient(native):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"output_grad.*\[2,8,6,3\]"):
        native.malleable_slice_grad(
            features=tf.zeros(FEATURES),
            kernels=tf.zeros(KERNELS),
            output_grad=tf.zeros((2, 8, 6, 3)),
            num_bias=0,
        )


def test_the_library_takes_one_bias_at_most(native):
    with pytest.raises(tf.errors.InvalidArgumentError, match="num_bias=2"):
        native.malleable_slice(
            features=tf.zeros(FEATURES), kernels=tf.zeros(KERNELS), bias=[tf.zeros(BIAS)] * 2
        )


def test_shape_inference_with_unknown_sizes(native):
    specs = [
        tf.TensorSpec((None, None, 6, 4)),
        tf.TensorSpec((2, None, None, 9, None)),
        tf.TensorSpec((None, 3, None, None)),
        tf.TensorSpec((None, 8, None, None)),
    ]
    shapes = {}

    @tf.function(input_signature=specs)
    def trace(features, kernels, bias, output_grad):
        output = call_native(native, features, kernels, bias)
        grads = native.malleable_slice_grad(
            features=features, kernels=kernels, output_grad=output_grad, num_bias=1
        )
        shapes["output"] = output.shape.as_list()
        shapes["features_grad"] = grads.features_grad.shape.as_list()
        shapes["kernels_grad"] = grads.kernels_grad.shape.as_list()
        shapes["bias_grad"] = grads.bias_grad[0].shape.as_list()
        return output

    trace.get_concrete_function()
    assert shapes == {
        "output": [None, None, 6, 4],
        "features_grad": [None, None, 6, 4],
        "kernels_grad": [2, None, None, 9, None],
        "bias_grad": [2, None, None, None],
    }
