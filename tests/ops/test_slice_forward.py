"""Values of malleable_slice: closed forms, other implementations' values, the reference loops."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.ops import malleable_slice
from mallenet_tf.ops.slice_op import interpolation_taps, resize_grid

TOLERANCE = {"float64": 1e-12, "float32": 1e-5, "float16": 1e-2, "bfloat16": 8e-2}

# N, H, W, C, h, w, K
SIZES = [
    (1, 1, 1, 1, 1, 1, 1),
    (2, 8, 8, 4, 2, 2, 1),
    (1, 5, 7, 3, 2, 3, 3),
    (1, 11, 13, 5, 3, 4, 3),
    (2, 6, 4, 21, 6, 4, 3),
    (1, 3, 4, 2, 7, 5, 1),
    (1, 1, 9, 17, 1, 2, 5),
    (1, 9, 1, 1, 4, 1, 5),
    (1, 4, 5, 2, 2, 2, 7),
    (1, 2, 2, 33, 3, 1, 3),
]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("sizes", SIZES)
def test_equals_the_reference_loops(make_case, slice_by_loops, implementation, sizes, dtype):
    features, kernels, bias, _ = make_case(*sizes).cast(dtype)
    output = malleable_slice(features, kernels, bias, implementation=implementation)
    assert output.dtype == dtype
    # The loops get the rounded inputs, so that only the op's own rounding is measured.
    expected = slice_by_loops(
        *(tf.cast(value, "float64").numpy() for value in (features, kernels, bias))
    )
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(
        tf.cast(output, "float64") / scale, expected / scale, atol=TOLERANCE[dtype], rtol=0
    )


@pytest.mark.parametrize("sizes", SIZES)
def test_no_bias_is_a_bias_of_zero(make_case, implementation, sizes):
    features, kernels, bias, _ = make_case(*sizes).cast("float32")
    without = malleable_slice(features, kernels, implementation=implementation)
    zero = malleable_slice(features, kernels, bias * 0, implementation=implementation)
    np.testing.assert_array_equal(without, zero)


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_identity_kernel_is_the_identity(make_case, implementation, size):
    case = make_case(2, 13, 9, 19, 4, 2, size)
    features = tf.cast(case.features, "float32")
    kernels = np.zeros(case.kernels.shape, np.float32)
    kernels[:, :, :, size * size // 2] = 1
    output = malleable_slice(features, kernels, implementation=implementation)
    np.testing.assert_array_equal(output, features)


def test_constant_grid_gives_that_constant(make_case, implementation):
    case = make_case(1, 13, 17, 16, 3, 5, 1)
    bias = np.full(case.bias.shape, 0.1, np.float32)
    output = malleable_slice(
        np.zeros(case.features.shape, np.float32),
        np.full(case.kernels.shape, 0.7, np.float32),
        bias,
        implementation=implementation,
    )
    np.testing.assert_array_equal(output, np.full(case.features.shape, 0.1, np.float32))


@pytest.mark.parametrize("size", [1, 3, 5])
def test_constant_kernels_equal_depthwise_convolution(make_case, implementation, size):
    case = make_case(2, 12, 10, 6, 3, 3, size)
    features = tf.cast(case.features, "float32")
    filters = case.kernels[0, 0, 0].astype("float32")
    layer = keras.layers.DepthwiseConv2D(size, padding="same", use_bias=False)
    layer.build(features.shape)
    layer.set_weights([filters.reshape(size, size, -1, 1)])
    kernels = np.broadcast_to(filters, case.kernels.shape)
    output = malleable_slice(features, kernels, implementation=implementation)
    np.testing.assert_allclose(output, layer(features), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("height", "width", "grid_height", "grid_width"),
    [(64, 48, 8, 6), (31, 37, 5, 3), (7, 5, 7, 5), (4, 3, 9, 8), (1, 1, 4, 4), (10, 6, 1, 1)],
)
def test_pointwise_equals_image_resize_then_multiply(
    make_case, implementation, height, width, grid_height, grid_width
):
    case = make_case(2, height, width, 16, grid_height, grid_width, 1)
    features, kernels, bias, _ = case.cast("float32")
    output = malleable_slice(features, kernels, bias, implementation=implementation)
    size = (height, width)
    expected = features * tf.image.resize(kernels[:, :, :, 0], size) + tf.image.resize(bias, size)
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)


def test_resized_grid_keeps_float64():
    ramp = np.linspace(0, 1, 9).reshape(1, 9, 1, 1) + 1e-12
    resized = resize_grid(tf.constant(ramp), 9, 1)
    np.testing.assert_array_equal(resized, ramp)
    assert resized.dtype == "float64"


@pytest.mark.parametrize(("size", "cells"), [(1, 1), (7, 3), (3, 7), (64, 8), (5, 5), (1, 6)])
def test_taps_are_the_same_for_known_and_unknown_sizes(size, cells):
    known = interpolation_taps(size, cells)
    unknown = interpolation_taps(tf.constant(size), tf.constant(cells))
    for left, right in zip(known, unknown, strict=True):
        np.testing.assert_array_equal(left, right)


def test_empty_batch_and_empty_image(make_case, implementation):
    features, kernels, bias, _ = make_case(0, 8, 6, 4, 2, 2, 3).cast("float32")
    output = malleable_slice(features, kernels, bias, implementation=implementation)
    assert output.shape == (0, 8, 6, 4)
    features, kernels, bias, _ = make_case(2, 0, 6, 4, 2, 2, 3).cast("float32")
    output = malleable_slice(features, kernels, bias, implementation=implementation)
    assert output.shape == (2, 0, 6, 4)


def test_values_of_the_whole_float_range(make_case, slice_by_loops, implementation):
    case = make_case(1, 6, 7, 16, 2, 3, 3)
    # Above the subnormals, which TensorFlow's threads flush to zero.
    exponents = np.linspace(-35, 18, 16)
    features = (case.features * 10.0**exponents).astype("float32")
    kernels = (case.kernels * 10.0**19).astype("float32")
    output = malleable_slice(features, kernels, implementation=implementation)
    assert np.isfinite(output).all()
    exact = slice_by_loops(
        features.astype("float64"), kernels.astype("float64"), np.zeros_like(case.bias)
    )
    scale = np.abs(exact).max(axis=(0, 1, 2))
    np.testing.assert_allclose(output / scale, exact / scale, atol=1e-6)


def test_half_precision_rounds_like_tensorflow(implementation):
    # K = 1 and a kernel of one: the output is each value widened, and rounded back.
    every_float16 = np.arange(2**16, dtype=np.uint16).view(np.float16)
    for dtype in ("float16", "bfloat16"):
        values = tf.bitcast(every_float16, dtype)
        features = tf.reshape(values, (1, 64, 64, 16))
        output = malleable_slice(
            features, tf.ones((1, 1, 1, 1, 16), dtype), implementation=implementation
        )
        expected, output = tf.cast(features, "float32"), tf.cast(output, "float32")
        # TensorFlow's threads flush float32 subnormals, which bfloat16 has too.
        normal = ~(np.abs(expected) < np.finfo(np.float32).tiny) | (expected.numpy() == 0)
        np.testing.assert_array_equal(output.numpy()[normal], expected.numpy()[normal])


def test_half_precision_ties_go_to_even(implementation):
    for dtype, last_bit in (("float16", 2.0**-10), ("bfloat16", 2.0**-7)):
        features = tf.constant(1 + last_bit * np.arange(16).reshape(1, 1, 1, 16), dtype)
        half_steps = tf.constant(np.full((1, 1, 1, 16), last_bit / 2), dtype)
        output = malleable_slice(
            features, tf.ones((1, 1, 1, 1, 16), dtype), half_steps, implementation=implementation
        )
        steps = np.array([0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14, 16])
        np.testing.assert_array_equal(
            tf.cast(output, "float64").numpy().ravel(), 1 + last_bit * steps
        )
