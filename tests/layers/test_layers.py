"""The layers by themselves: what Keras asks of them, and what the paper says they compute."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.layers import (
    BilinearUpsample,
    InvertedBottleneck,
    KernelPredictor,
    MalleConv,
    ResidualBlock,
    SpaceToDepth,
)
from mallenet_tf.layers.kernel_predictor import TAP_LIMIT
from tests.helpers.layer_checks import raises_value_error, run_layer_test


def test_inverted_bottleneck():
    run_layer_test(lambda: InvertedBottleneck(4), (2, 7, 5, 4), (2, 7, 5, 4), trainable=8)


def test_inverted_bottleneck_with_batch_normalization():
    layer = InvertedBottleneck(4, expansion=2, normalization="batch")
    layer(np.ones((1, 4, 4, 4), np.float32))
    assert len(layer.trainable_variables) == 8 + 3 * 2
    assert len(layer.non_trainable_variables) == 3 * 2


def test_residual_block():
    run_layer_test(lambda: ResidualBlock(3), (1, 6, 5, 3), (1, 6, 5, 3), trainable=5)


def test_blocks_refuse_other_channels_than_theirs():
    """One channel would be added to each of the block's by broadcasting."""
    for block in (ResidualBlock, InvertedBottleneck):
        with raises_value_error("equal the input"):
            block(16)(np.ones((1, 4, 4, 1), np.float32))


def test_unknown_implementations_of_the_bottleneck_are_refused():
    with raises_value_error("must be one of auto, native, reference"):
        InvertedBottleneck(4, implementation="fast")


def test_bilinear_upsample():
    run_layer_test(BilinearUpsample, (2, 5, 3, 4), (2, 10, 6, 4), trainable=0)


@pytest.mark.parametrize("height,width", [(1, 1), (1, 5), (6, 7)])
def test_bilinear_upsample_is_tensorflows_resize(height, width):
    images = np.random.default_rng(0).standard_normal((2, height, width, 3)).astype(np.float32)
    wanted = tf.image.resize(images, (2 * height, 2 * width), "bilinear")
    np.testing.assert_allclose(BilinearUpsample()(images), wanted, rtol=1e-5, atol=1e-6)


def test_space_to_depth():
    run_layer_test(lambda: SpaceToDepth(2), (2, 4, 6, 3), (2, 2, 3, 12), trainable=0)


def test_space_to_depth_has_the_channel_order_of_tensorflow():
    images = np.arange(2 * 4 * 6 * 3, dtype=np.float32).reshape(2, 4, 6, 3)
    np.testing.assert_array_equal(SpaceToDepth(2)(images), tf.nn.space_to_depth(images, 2))


def test_space_to_depth_refuses_odd_sizes():
    with raises_value_error("multiples of 2"):
        SpaceToDepth(2)(np.ones((1, 5, 4, 3), np.float32))


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_malleconv(kernel_size):
    def build():
        return MalleConv(kernel_size, pool_size=2, blocks=1)

    # Stem, two blocks of two convolutions, taps: kernel and bias each; three PReLUs.
    run_layer_test(build, (2, 11, 13, 4), (2, 11, 13, 4), trainable=2 * 6 + 3)


def test_malleconv_at_a_position():
    def build():
        return MalleConv(3, pool_size=2, blocks=1, position=(0.6, 1.0))

    run_layer_test(build, (2, 11, 13, 4), (2, 11, 13, 4), trainable=2 * 6 + 3)


@pytest.mark.parametrize("position,cell", [((0.0, 1.0), (0, 3)), ((0.5, 0.3), (1, 1))])
def test_the_kernel_at_a_position_is_used_everywhere(position, cell):
    """Of a grid of 3 x 4 kernels."""
    features = np.random.default_rng(0).standard_normal((1, 11, 13, 2)).astype(np.float32)
    layer = MalleConv(pool_size=2, blocks=1, position=position)
    fixed = layer(features)
    kernels, bias = layer.predictor(features)
    assert kernels.shape[1:3] == (3, 4)
    y, x = cell
    kernel, offset = kernels[:, y, x, 0], bias[:, y, x]
    np.testing.assert_allclose(fixed, features * (1 + kernel) + offset, rtol=1e-4, atol=1e-5)
    any_size = tf.TensorSpec((None, None, None, 2), tf.float32)
    traced = tf.function(layer, input_signature=[any_size])
    np.testing.assert_allclose(traced(features), fixed, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("position", [(-0.5, 0.5), (1.5, 1.0), (0.5,)])
def test_positions_out_of_the_image_are_refused(position):
    with raises_value_error("from 0 to 1"):
        MalleConv(position=position)


@pytest.mark.parametrize("pool_size,height,width", [(1, 9, 5), (2, 9, 5), (4, 1, 1), (4, 33, 16)])
def test_predictor_grid_has_the_shape_it_declares(pool_size, height, width):
    predictor = KernelPredictor(kernel_size=3, pool_size=pool_size, blocks=1)
    kernels, bias = predictor(np.ones((2, height, width, 4), np.float32))
    declared = predictor.compute_output_shape((2, height, width, 4))
    assert (tuple(kernels.shape), tuple(bias.shape)) == declared
    assert kernels.shape[1] == np.ceil(np.ceil(height / pool_size) / 2)


def test_predictor_width_is_independent_of_the_features():
    predictor = KernelPredictor(width=6)
    kernels, _ = predictor(np.ones((1, 16, 16, 8), np.float32))
    assert kernels.shape[-1] == 8
    assert predictor.stack[1].filters == 6


def test_predicted_kernels_are_bounded_however_large_the_features():
    kernels, bias = KernelPredictor()(1e9 * np.ones((1, 16, 16, 4), np.float32))
    assert np.max(np.abs(kernels)) <= TAP_LIMIT
    assert np.max(np.abs(bias)) <= TAP_LIMIT


def test_even_kernels_are_refused():
    with raises_value_error("must be odd"):
        MalleConv(kernel_size=2)


def _with_taps(layer, taps):
    """Makes the predictor say `taps` everywhere: kernels, then bias, for each channel."""
    head = layer.predictor.stack[-1]
    head.kernel.assign(np.zeros(head.kernel.shape, np.float32))
    head.bias.assign(TAP_LIMIT * np.arctanh(np.asarray(taps, np.float32).ravel() / TAP_LIMIT))


def test_malleconv_adds_its_slice_to_the_input():
    features = np.random.default_rng(0).standard_normal((1, 9, 10, 2)).astype(np.float32)
    layer = MalleConv(pool_size=2, blocks=1)
    layer(features)
    _with_taps(layer, [[0.5, -1.5], [1.0, 1.9]])  # kernel of each channel, then bias
    wanted = features + features * [0.5, -1.5] + [1.0, 1.9]
    np.testing.assert_allclose(layer(features), wanted, rtol=1e-5, atol=1e-6)


def test_malleconv_without_residual_replaces_the_input():
    features = np.random.default_rng(0).standard_normal((1, 9, 10, 2)).astype(np.float32)
    layer = MalleConv(pool_size=2, blocks=1, residual=False)
    layer(features)
    _with_taps(layer, [[0.5, -1.5], [1.0, 1.9]])
    np.testing.assert_allclose(layer(features), features * [0.5, -1.5] + [1.0, 1.9], rtol=1e-5)


def test_constant_kernels_make_malleconv_a_depthwise_convolution():
    random = np.random.default_rng(0)
    features = random.standard_normal((1, 9, 10, 2)).astype(np.float32)
    taps = random.uniform(-1, 1, (9, 2)).astype(np.float32)
    layer = MalleConv(kernel_size=3, pool_size=2, blocks=1, residual=False)
    layer(features)
    _with_taps(layer, np.concatenate([taps, np.zeros((1, 2), np.float32)]))
    depthwise = keras.ops.depthwise_conv(features, taps.reshape(3, 3, 2, 1), padding="same")
    np.testing.assert_allclose(layer(features), depthwise, rtol=1e-4, atol=1e-5)


def test_malleconv_drops_into_somebody_elses_model():
    images = keras.Input((None, None, 3))
    features = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(images)
    features = MalleConv(blocks=1)(features)
    model = keras.Model(images, keras.layers.Conv2D(3, 3, padding="same")(features))
    model.compile("adam", "mae")
    data = np.random.default_rng(0).random((2, 17, 19, 3), np.float32)
    history = model.fit(data, data, epochs=4, verbose=0).history["loss"]
    assert history[-1] < history[0]
