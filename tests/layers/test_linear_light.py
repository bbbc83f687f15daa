"""sRGB's transfer function in the three array libraries that use it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.common import srgb
from mallenet_tf.layers import LinearToSrgb, SrgbToLinear
from tests.helpers.layer_checks import run_layer_test

# IEC 61966-2-1: 18 % gray, the knee, white, and the odd continuation.
KNOWN = {0.0: 0.0, 0.0031308: 0.040449936, 0.18: 0.46135613, 1.0: 1.0, -0.18: -0.46135613}


@pytest.mark.parametrize("layer", [SrgbToLinear, LinearToSrgb])
def test_layers(layer):
    run_layer_test(layer, (2, 5, 4, 3), (2, 5, 4, 3), trainable=0)


@pytest.mark.parametrize("library", [np, tf, keras.ops])
def test_known_values(library):
    light = np.array(list(KNOWN), np.float32)
    values = srgb.to_srgb(tf.constant(light) if library is tf else light, library)
    np.testing.assert_allclose(values, list(KNOWN.values()), atol=1e-6)
    np.testing.assert_allclose(srgb.to_linear(values, library), light, atol=1e-6)


def test_layers_undo_each_other_and_have_finite_gradients_everywhere():
    values = tf.constant(np.linspace(-0.6, 1.6, 2201, dtype=np.float32))  # with 0
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(values)
        light = SrgbToLinear()(values)
        again = LinearToSrgb()(light)
    np.testing.assert_allclose(again, values, atol=2e-6)
    np.testing.assert_allclose(tape.gradient(again, values), np.ones(2201), atol=1e-2)
    zero = int(np.argmin(np.abs(values)))
    assert float(tape.gradient(light, values)[zero]) == pytest.approx(1 / 12.92)
    with tf.GradientTape() as tape:
        dark = tf.constant([0.0])
        tape.watch(dark)
        bright = LinearToSrgb()(dark)
    assert float(tape.gradient(bright, dark)[0]) == pytest.approx(12.92)
