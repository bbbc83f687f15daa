"""Gradients of malleable_slice: finite differences, the adjoint identity, the reference's."""

import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.ops import malleable_slice

NAMES = ("features", "kernels", "bias")

# N, H, W, C, h, w, K
SMALL = [
    (1, 3, 4, 1, 2, 2, 3),
    (1, 2, 3, 2, 1, 1, 1),
    (1, 5, 4, 1, 2, 3, 1),
    (1, 2, 3, 1, 3, 5, 3),
    (1, 4, 3, 1, 3, 2, 5),
]
LARGE = [
    (2, 17, 13, 16, 4, 3, 3),
    (1, 31, 29, 21, 5, 7, 1),
    (3, 8, 24, 24, 2, 6, 3),
    (1, 23, 40, 9, 3, 5, 5),
    (1, 10, 9, 5, 1, 1, 7),
    (1, 5, 6, 34, 11, 13, 3),
]


def gradients(inputs, output_grad, implementation):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = malleable_slice(*inputs, implementation=implementation)
    return tape.gradient(output, inputs, output_gradients=output_grad)


@pytest.mark.parametrize("sizes", SMALL)
def test_every_derivative_equals_finite_differences(make_case, implementation, sizes):
    # The op is linear in each input, so a difference over a whole unit is exact up to rounding.
    # One batch holds every way of moving one number.
    *inputs, output_grad = make_case(*sizes).cast("float64")
    computed = gradients(inputs, output_grad, implementation)
    for i, (name, gradient) in enumerate(zip(NAMES, computed, strict=True)):
        count = int(tf.size(inputs[i]))
        moves = np.eye(count).reshape(count, *inputs[i].shape[1:])
        batch = [tf.repeat(value, count, axis=0) for value in inputs]
        ends = []
        for step in (0.5, -0.5):
            moved = [*batch[:i], batch[i] + step * moves, *batch[i + 1 :]]
            output = malleable_slice(*moved, implementation=implementation)
            ends.append(tf.reduce_sum(output * output_grad, (1, 2, 3)).numpy())
        np.testing.assert_allclose(
            gradient.numpy().ravel(), ends[0] - ends[1], atol=1e-6, rtol=0, err_msg=name
        )


@pytest.mark.parametrize("sizes", SMALL + LARGE[::3])
def test_gradient_is_the_adjoint(make_case, implementation, sizes):
    *inputs, output_grad = make_case(*sizes).cast("float64")
    *directions, _ = make_case(*sizes, seed=1).cast("float64")
    computed = gradients(inputs, output_grad, implementation)
    zero = tf.zeros_like(inputs[2])
    images = {
        "features": malleable_slice(directions[0], inputs[1], zero, implementation=implementation),
        "kernels": malleable_slice(inputs[0], directions[1], zero, implementation=implementation),
        "bias": malleable_slice(
            inputs[0], tf.zeros_like(inputs[1]), directions[2], implementation=implementation
        ),
    }
    for name, gradient, direction in zip(NAMES, computed, directions, strict=True):
        left = tf.reduce_sum(output_grad * images[name])
        right = tf.reduce_sum(gradient * direction)
        assert float(left) == pytest.approx(float(right), rel=1e-11, abs=1e-11), name


@pytest.fixture(scope="module", params=SMALL + LARGE, ids=str)
def exact(request, make_case):
    """Inputs that every type holds, the output's gradient, and the reference's gradients."""
    *inputs, output_grad = (
        tf.cast(value, "float64") for value in make_case(*request.param).cast("bfloat16")
    )
    return inputs, output_grad, gradients(inputs, output_grad, "reference")


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [("float64", 1e-13), ("float32", 3e-6), ("float16", 2e-3), ("bfloat16", 1e-2)],
)
def test_native_equals_float64_reference(exact, native, dtype, tolerance):
    inputs, output_grad, expected = exact
    inputs, output_grad = [tf.cast(value, dtype) for value in inputs], tf.cast(output_grad, dtype)
    computed = gradients(inputs, output_grad, "native")
    for name, left, right in zip(NAMES, computed, expected, strict=True):
        assert left.dtype == dtype
        scale = np.abs(right).max()
        np.testing.assert_allclose(
            tf.cast(left, "float64") / scale, right / scale, atol=tolerance, rtol=0, err_msg=name
        )


def test_reference_gradients_keep_half_precision(make_case):
    *inputs, output_grad = make_case(1, 5, 6, 3, 2, 2, 3).cast("float16")
    exact_inputs = [tf.cast(value, "float64") for value in inputs]
    expected = gradients(exact_inputs, tf.cast(output_grad, "float64"), "reference")
    for left, right in zip(gradients(inputs, output_grad, "reference"), expected, strict=True):
        assert left.dtype == "float16"
        np.testing.assert_allclose(left, right, atol=5e-2)


def test_gradients_without_bias(make_case, native):
    features, kernels, _, output_grad = make_case(2, 9, 7, 5, 3, 2, 3).cast("float64")
    computed = gradients([features, kernels], output_grad, "native")
    expected = gradients([features, kernels], output_grad, "reference")
    for left, right in zip(computed, expected, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-12)


def test_gradient_of_an_empty_batch_is_empty(make_case, implementation):
    *inputs, output_grad = make_case(0, 8, 6, 4, 2, 2, 3).cast("float32")
    for value, gradient in zip(inputs, gradients(inputs, output_grad, implementation), strict=True):
        assert gradient.shape == value.shape


def test_gradient_of_an_empty_image_is_zero(make_case, implementation):
    *inputs, output_grad = make_case(2, 0, 6, 4, 2, 2, 3).cast("float32")
    _, kernels_grad, bias_grad = gradients(inputs, output_grad, implementation)
    assert not kernels_grad.numpy().any()
    assert not bias_grad.numpy().any()


def test_sum_of_bias_gradient_is_the_sum_of_the_incoming_gradient(make_case, implementation):
    # Interpolation weights sum to one at every pixel.
    *inputs, output_grad = make_case(2, 37, 41, 16, 6, 5, 1).cast("float64")
    bias_grad = gradients(inputs, output_grad, implementation)[2]
    np.testing.assert_allclose(
        tf.reduce_sum(bias_grad, (1, 2)), tf.reduce_sum(output_grad, (1, 2)), rtol=1e-10
    )


def test_native_second_order_gradient_is_refused(make_case, native):
    features, kernels, bias, _ = make_case(1, 4, 4, 2, 2, 2, 1).cast("float64")
    with tf.GradientTape() as outer:
        outer.watch(features)
        with tf.GradientTape() as inner:
            inner.watch(kernels)
            loss = tf.reduce_sum(malleable_slice(features, kernels, bias) ** 2)
        first = inner.gradient(loss, kernels)
    with pytest.raises(NotImplementedError, match="no second-order gradient"):
        outer.gradient(first, features)


def test_reference_has_second_order_gradients(make_case):
    features, kernels, _, _ = make_case(1, 4, 4, 2, 2, 2, 1).cast("float64")
    with tf.GradientTape() as outer:
        outer.watch(features)
        with tf.GradientTape() as inner:
            inner.watch(kernels)
            output = malleable_slice(features, kernels, implementation="reference")
            loss = tf.reduce_sum(output)
        first = inner.gradient(loss, kernels)
    # d/dk sum(o) is the interpolation's transpose of f, whose sum over the grid is the sum of f.
    np.testing.assert_allclose(outer.gradient(first, features), tf.ones_like(features), rtol=1e-12)
