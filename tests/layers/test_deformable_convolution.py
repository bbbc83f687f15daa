"""Modulated deformable convolution against a loop, torchvision and finite differences."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.layers import DeformableConv
from mallenet_tf.layers.deformable_convolution import deformable_convolution
from mallenet_tf.profiling import count_multiply_adds
from tests.helpers.layer_checks import raises_value_error, run_layer_test


def loop(features, offsets, modulation, kernel):
    """What the convolution is, a sample at a time, in float64."""
    batch, height, width, channels = features.shape
    size, filters = kernel.shape[0], kernel.shape[3]
    of_group = channels // modulation.shape[4]

    def pixel(image, y, x):
        inside = 0 <= y < height and 0 <= x < width
        return features[image, y, x] if inside else np.zeros(channels)

    result = np.zeros((batch, height, width, filters))
    for image, y, x, tap, channel in np.ndindex(batch, height, width, size * size, channels):
        group = channel // of_group
        down, right = offsets[image, y, x, tap, group]
        row = y + tap // size - size // 2 + down
        column = x + tap % size - size // 2 + right
        top, left = math.floor(row), math.floor(column)
        sample = 0.0
        for i in (top, top + 1):
            for j in (left, left + 1):
                weight = (1 - abs(row - i)) * (1 - abs(column - j))
                sample += weight * pixel(image, i, j)[channel]
        sample *= modulation[image, y, x, tap, group]
        result[image, y, x] += sample * kernel[tap // size, tap % size, channel]
    return result


def arguments(shape=(2, 3, 4), channels=4, groups=2, filters=3, size=3, reach=2.0, seed=0):
    """Random arguments; the standard deviation of the offsets is `reach` pixels."""
    random = np.random.default_rng(seed)
    taps = (*shape, size * size, groups)
    return {
        "features": random.standard_normal((*shape, channels)),
        "offsets": random.normal(0.0, reach, (*taps, 2)),
        "modulation": random.random(taps),
        "kernel": random.standard_normal((size, size, channels, filters)),
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shape": (1, 1, 1)},
        {"shape": (1, 5, 1), "groups": 4},
        {"groups": 1, "size": 1, "filters": 1},
        {"shape": (1, 3, 3), "size": 5, "reach": 0.3},
        {"reach": 50.0},
    ],
)
def test_it_is_what_the_loop_says(options):
    given = arguments(**options)
    wanted = loop(**given)
    np.testing.assert_allclose(deformable_convolution(**given), wanted, rtol=0, atol=1e-12)
    single = {name: value.astype(np.float32) for name, value in given.items()}
    np.testing.assert_allclose(deformable_convolution(**single), wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ["features", "offsets", "modulation", "kernel"])
def test_gradients_are_the_loops_finite_differences(name):
    given = arguments(shape=(1, 3, 4), seed=1)
    random = np.random.default_rng(2)
    upstream = random.standard_normal((1, 3, 4, 3))
    tensors = {key: tf.constant(value) for key, value in given.items()}
    with tf.GradientTape() as tape:
        tape.watch(tensors[name])
        total = tf.reduce_sum(deformable_convolution(**tensors) * upstream)
    gradient = tape.gradient(total, tensors[name]).numpy()
    for _ in range(3):
        direction = random.standard_normal(gradient.shape)
        step = 1e-6 * direction
        up = loop(**{**given, name: given[name] + step})
        down = loop(**{**given, name: given[name] - step})
        wanted = np.sum((up - down) * upstream) / 2e-6
        assert np.sum(gradient * direction) == pytest.approx(wanted, rel=1e-6)


def from_torchvision(name, value, groups):
    """torchvision's layout to ours."""
    if name == "kernel":
        return value.transpose(2, 3, 1, 0)
    if name in ("offsets", "modulation"):
        batch, _, height, width = value.shape
        value = value.reshape(batch, groups, 9, -1, height, width).transpose(0, 4, 5, 2, 1, 3)
        return value[..., 0] if name == "modulation" else value
    return value.transpose(0, 2, 3, 1)


def test_values_and_gradients_are_torchvisions(repository):
    golden = np.load(repository / "tests" / "golden" / "deformable_torchvision.npz")
    names = ("features", "offsets", "modulation", "kernel")
    tensors = {
        name: tf.constant(from_torchvision(name, golden[name], golden["groups"])) for name in names
    }
    assert np.abs(tensors["offsets"]).max() > 5  # they do lead out of the image
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        result = deformable_convolution(**tensors)
        total = tf.reduce_sum(result * golden["upstream"].transpose(0, 2, 3, 1))
    gradients = tape.gradient(total, tensors)
    np.testing.assert_allclose(result, golden["result"].transpose(0, 2, 3, 1), rtol=0, atol=1e-12)
    for name in names:
        wanted = from_torchvision(name, golden[f"{name}_gradient"], golden["groups"])
        np.testing.assert_allclose(gradients[name], wanted, rtol=0, atol=1e-12, err_msg=name)


def test_still_taps_make_an_ordinary_convolution():
    given = arguments(shape=(2, 9, 7), reach=0.0)
    given["modulation"] = np.ones_like(given["modulation"])
    wanted = keras.ops.conv(given["features"], given["kernel"], padding="same")
    np.testing.assert_allclose(deformable_convolution(**given), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("offset", [-1e9, -5.0, 5.0, 1e30])
def test_samples_out_of_the_image_are_zero(offset):
    """Offsets of 5 lead out of an image of 3 x 4 wherever the tap was."""
    given = arguments(reach=0.0)
    given["offsets"] += offset
    np.testing.assert_array_equal(deformable_convolution(**given), np.zeros((2, 3, 4, 3)))


def test_offsets_that_are_no_numbers_give_no_number_and_no_error():
    """A training that diverges is told by its loss, not by an index out of range."""
    given = arguments()
    given["offsets"][0, 1, 2, 4, 0] = np.nan
    result = np.asarray(deformable_convolution(**given))
    wrong = np.zeros(result.shape, bool)
    wrong[0, 1, 2] = True
    np.testing.assert_array_equal(np.isnan(result), wrong)


def test_layer():
    run_layer_test(lambda: DeformableConv(6, groups=2), (2, 7, 5, 4), (2, 7, 5, 6), trainable=4)


def test_layer_with_an_activation_keeps_its_channels():
    def build():
        return DeformableConv(groups=4, kernel_size=1, activation="leaky_relu")

    run_layer_test(build, (1, 6, 5, 8), (1, 6, 5, 8), trainable=4)


def test_a_fresh_layer_is_a_convolution_with_half_its_kernel():
    inputs = np.random.default_rng(0).standard_normal((2, 9, 7, 8)).astype(np.float32)
    layer = DeformableConv(3)
    layer(inputs)
    layer.bias.assign([1.0, 2.0, 3.0])
    wanted = keras.ops.conv(inputs, 0.5 * layer.kernel, padding="same") + layer.bias
    np.testing.assert_allclose(layer(inputs), wanted, rtol=1e-4, atol=1e-5)


def shifting_layer(inputs, guide):
    """A layer of one tap that looks down and right by what the guide says."""
    layer = DeformableConv(2, kernel_size=1, groups=1)
    layer(inputs, guide)
    layer.kernel.assign(np.eye(2, dtype=np.float32)[None, None])
    kernel = np.zeros(layer.offsets.kernel.shape, np.float32)
    kernel[1, 1] = [[1, 0, 0], [0, 1, 0]]
    layer.offsets.kernel.assign(kernel)
    layer.offsets.bias.assign([0.0, 0.0, 50.0])  # a modulation of 1
    return layer


def test_offsets_come_from_the_guide():
    inputs = np.random.default_rng(0).standard_normal((1, 6, 8, 2)).astype(np.float32)
    guide = np.empty((1, 6, 8, 2), np.float32)
    guide[...] = [2.0, -3.0]
    moved = shifting_layer(inputs, guide)(inputs, guide)
    np.testing.assert_allclose(moved[:, :4, 3:], inputs[:, 2:, :5], rtol=1e-6)
    np.testing.assert_array_equal(moved[:, 4:], np.zeros((1, 2, 8, 2)))
    np.testing.assert_array_equal(moved[:, :, :3], np.zeros((1, 6, 3, 2)))


def test_positions_are_exact_in_half_precision():
    """bfloat16 holds whole numbers up to 256; a wide image has more columns."""
    inputs = np.random.default_rng(0).standard_normal((1, 2, 700, 2)).astype(np.float32)
    guide = np.ones_like(inputs)
    exact = shifting_layer(inputs, guide)
    half = DeformableConv(2, kernel_size=1, groups=1, dtype="mixed_bfloat16")
    half(inputs, guide)
    half.set_weights(exact.get_weights())
    close = keras.ops.cast(half(inputs, guide), "float32")
    np.testing.assert_allclose(close, exact(inputs, guide), rtol=0.01)


def test_multiply_adds_are_those_of_the_two_convolutions():
    features = keras.Input((None, None, 8))
    guide = features[..., :2]
    model = keras.Model(features, DeformableConv(5, groups=4)(features, guide))
    offsets = 9 * 2 * 27 * 4
    assert count_multiply_adds(model, 10, 12) == 10 * 12 * (9 * 8 * 5 + offsets)


def test_wrong_options_are_refused():
    with raises_value_error("must be odd"):
        DeformableConv(kernel_size=2)
    with raises_value_error("groups must divide"):
        DeformableConv(groups=3)(np.ones((1, 4, 4, 8), np.float32))
