"""How much of the noise is removed: all of it, luminance, color."""

import numpy as np
import pytest

from mallenet_tf.common.srgb import LUMA
from mallenet_tf.inference.strength import Strength

CHANGE = np.random.RandomState(0).standard_normal((5, 7, 3)).astype(np.float32)


def test_all_shares_of_one_change_nothing():
    np.testing.assert_array_equal(Strength().of(CHANGE), CHANGE)
    assert Strength().full and not Strength(color=0.5).full


def test_luminance_alone_leaves_color_and_color_alone_leaves_luma():
    grain = Strength(color=0.0).of(CHANGE)
    np.testing.assert_allclose(np.ptp(grain, axis=-1), 0.0, atol=1e-6)
    np.testing.assert_allclose(grain @ LUMA, CHANGE @ LUMA, atol=1e-6)
    blotches = Strength(luminance=0.0).of(CHANGE)
    np.testing.assert_allclose(blotches @ LUMA, 0.0, atol=1e-6)
    np.testing.assert_allclose(grain + blotches, CHANGE, atol=1e-6)


def test_strength_scales_both():
    both = Strength(0.5, 0.4, 0.8)
    np.testing.assert_allclose(both.of(CHANGE), 0.5 * Strength(1.0, 0.4, 0.8).of(CHANGE), atol=1e-6)
    np.testing.assert_allclose(Strength(0.5).of(CHANGE), 0.5 * CHANGE, atol=1e-6)


def test_gray_has_luminance_alone():
    gray = CHANGE[..., :1]
    np.testing.assert_array_equal(Strength(luminance=0.25, color=0.0).of(gray), 0.25 * gray)


@pytest.mark.parametrize("name", ["strength", "luminance", "color"])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_shares_are_from_0_to_1(name, value):
    with pytest.raises(ValueError, match=f"{name} is from 0 to 1. Received: {name}={value}"):
        Strength(**{name: value})
