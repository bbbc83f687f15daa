"""ADFNet's own layers: kernels for every pixel, their use at several dilations, attention."""

import numpy as np
import pytest

from mallenet_tf.layers import SEKG, DynamicConv, MultiDimensionAttention, PerPixelConv
from tests.helpers.layer_checks import raises_value_error, run_layer_test


def filter_pixels(features, kernels, dilation):
    """Depthwise convolution with each pixel's own kernel, a pixel at a time."""
    batch, height, width, _ = features.shape
    result = np.zeros(features.shape)
    for image, y, x, tap in np.ndindex(batch, height, width, 9):
        i, j = y + dilation * (tap // 3 - 1), x + dilation * (tap % 3 - 1)
        if 0 <= i < height and 0 <= j < width:
            result[image, y, x] += features[image, i, j] * kernels[image, y, x, tap]
    return result


def random_features(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def randomised(layer, inputs):
    """A layer with random values in all its weights, biases too."""
    layer(inputs)
    random = np.random.default_rng(5)
    layer.set_weights([random.standard_normal(value.shape) for value in layer.get_weights()])
    return layer


def test_sekg():
    run_layer_test(lambda: SEKG(3), (2, 7, 5, 4), (2, 7, 5, 9, 3), trainable=5)


def test_dynamic_convolution():
    run_layer_test(DynamicConv, (2, 7, 5, 4), (2, 7, 5, 4), trainable=5)


def test_attention():
    run_layer_test(MultiDimensionAttention, (2, 7, 5, 4), (2, 7, 5, 4), trainable=0)


def test_sekg_adds_surroundings_and_channel_averages():
    inputs = random_features(2, 4, 5, 3)
    layer = randomised(SEKG(2, kernel_size=1), inputs)
    depthwise, bias, channel, last, last_bias = layer.get_weights()
    kernels = np.broadcast_to(depthwise[..., 0].reshape(9, 3), (2, 4, 5, 9, 3))
    surroundings = filter_pixels(inputs, kernels, 1) + bias
    average = np.pad(inputs.mean((1, 2)), [(0, 0), (1, 1)])
    mixed = sum(channel[i, 0, 0] * average[:, i : i + 3] for i in range(3))
    wanted = (surroundings + mixed[:, None, None]) @ last[0, 0] + last_bias
    np.testing.assert_allclose(layer(inputs), wanted[:, :, :, None], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dilation", [1, 3, 5])
def test_kernels_are_used_at_a_dilation(dilation):
    features, kernels = random_features(2, 6, 7, 3), random_features(2, 6, 7, 9, 3, seed=1)
    wanted = filter_pixels(features, kernels, dilation)
    filtered = PerPixelConv(dilation)(features, kernels)
    np.testing.assert_allclose(filtered, wanted, rtol=1e-4, atol=1e-5)


def test_dynamic_convolution_uses_the_kernels_of_its_sekg():
    inputs = random_features(1, 5, 6, 4)
    layer = randomised(DynamicConv(), inputs)
    wanted = filter_pixels(inputs, np.asarray(layer.sekg(inputs)), 1)
    np.testing.assert_allclose(layer(inputs), wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("layer", [MultiDimensionAttention, SEKG])
def test_averages_over_large_images_stay_finite_in_float16(layer):
    inputs = np.full((1, 300, 400, 2), 2.0, np.float16)  # sums to 240,000; float16 ends at 65,504
    result = np.asarray(layer(dtype="mixed_float16")(inputs))
    assert np.all(np.isfinite(result))
    if layer is MultiDimensionAttention:
        first = 2 * 2 / (1 + np.exp(-2.0))
        second = 2 / (1 + np.exp(-first))
        np.testing.assert_allclose(result, first * (1 + 2 * second), rtol=0.01)


def test_even_kernels_are_refused():
    with raises_value_error("must be odd"):
        SEKG(kernel_size=2)
    with raises_value_error("must be odd"):
        DynamicConv(kernel_size=4)
