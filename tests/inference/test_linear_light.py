"""Linear light under the sRGB curve and back."""

import numpy as np

from mallenet_tf.inference.linear_light import from_display, to_display


def test_the_curve_is_that_of_srgb():
    # IEC 61966-2-1: both ends, the knee, and middle gray.
    light = np.array([0.0, 0.0031308, 0.21404114, 1.0])
    np.testing.assert_allclose(to_display(light), [0.0, 0.04045, 0.5, 1.0], atol=1e-5)


def test_there_and_back_for_blacks_and_highlights():
    light = np.concatenate([np.linspace(-2, 2, 401), [1e-6, 30.0, 6e4]]).astype(np.float32)
    np.testing.assert_allclose(from_display(to_display(light)), light, rtol=1e-4, atol=1e-6)
    assert (np.diff(to_display(np.linspace(-1, 3, 999))) > 0).all()


def test_what_is_not_finite_becomes_black():
    np.testing.assert_array_equal(to_display(np.array([np.nan, np.inf, -np.inf])), 0)
