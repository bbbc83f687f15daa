"""Multiply-adds counted by hand for single layers."""

import keras
import pytest
from keras import layers

from mallenet_tf.layers import MalleConv
from mallenet_tf.profiling import count_multiply_adds, count_parameters


def _model(*stack, channels=3):
    inputs = keras.Input((None, None, channels))
    outputs = inputs
    for layer in stack:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize(
    "layer,multiply_adds,parameters",
    [
        (layers.Conv2D(5, 3, padding="same"), 10 * 12 * 9 * 3 * 5, 9 * 3 * 5 + 5),
        (layers.Conv2D(5, 3, strides=2, padding="same"), 5 * 6 * 9 * 3 * 5, 9 * 3 * 5 + 5),
        (layers.Conv2D(6, 3, groups=3, padding="same"), 10 * 12 * 9 * 6, 9 * 6 + 6),
        (layers.DepthwiseConv2D(3, padding="same"), 10 * 12 * 9 * 3, 9 * 3 + 3),
        (layers.Conv2DTranspose(4, 2, strides=2), 10 * 12 * 4 * 3 * 4, 4 * 3 * 4 + 4),
        (layers.Dense(7), 10 * 12 * 3 * 7, 3 * 7 + 7),
        (layers.PReLU(shared_axes=[1, 2]), 0, 3),
    ],
)
def test_one_layer(layer, multiply_adds, parameters):
    model = _model(layer)
    assert count_multiply_adds(model, 10, 12) == multiply_adds
    assert count_parameters(model) == parameters


def test_the_slice_costs_one_product_per_tap():
    layer = MalleConv(kernel_size=3, pool_size=2, blocks=0, implementation="native")
    stem = 4 * 4 * 9 * 4 * 4
    taps = 2 * 2 * 4 * 10 * 4
    assert count_multiply_adds(_model(layer, channels=4), 8, 8) == stem + taps + 8 * 8 * 4 * 9
