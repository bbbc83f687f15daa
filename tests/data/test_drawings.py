"""Synthetic drawings."""

import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.data import Drawings, GaussianNoise, training_dataset
from mallenet_tf.data.random_numbers import RandomGenerator, sample_seed
from mallenet_tf.data.sources.drawings import (
    KINDS,
    SHARES,
    bars,
    drawing,
    flat,
    letters,
    lines,
    ramp,
    uniform_noise,
)

SIDE = 32


@pytest.fixture(scope="module")
def draw():
    return tf.function(lambda number: drawing(sample_seed(3, number), SIDE), autograph=False)


@pytest.fixture(scope="module")
def drawings(draw):
    return np.stack([draw(tf.constant(number, tf.int64)).numpy() for number in range(200)])


def several(kind, count=12):
    make = tf.function(lambda seed: kind(RandomGenerator(seed), SIDE), autograph=False)
    return np.stack([make(sample_seed(5, number)).numpy() for number in range(count)])


def test_drawing_is_a_pure_function_of_its_number(draw, drawings):
    assert drawings.dtype == np.uint8 and drawings.shape == (200, SIDE, SIDE, 3)
    np.testing.assert_array_equal(draw(tf.constant(7, tf.int64)), drawings[7])
    np.testing.assert_array_equal(drawing(sample_seed(3, 7), SIDE), drawings[7])
    assert len({patch.tobytes() for patch in drawings}) > 150  # black and white flats may repeat


def test_kinds_come_in_their_shares(drawings):
    is_flat = np.ptp(drawings, axis=(1, 2)).max(-1) == 0
    assert sum(SHARES) == pytest.approx(1) and len(SHARES) == len(KINDS)
    # Four standard errors, and bars as wide as the patch are flat too.
    assert SHARES[0] - 0.13 < is_flat.mean() < SHARES[0] + 0.2
    colours = drawings[is_flat][:, 0, 0]
    saturated = np.isin(colours, (0, 255)).all(-1)
    gray = np.ptp(colours, axis=-1) == 0
    assert 0.15 < saturated.mean() < 0.6
    assert (gray & ~saturated).any() and (~gray & ~saturated).any()


def test_flats_are_flat_and_uniform_noise_is_uniform():
    assert np.ptp(several(flat), axis=(1, 2)).max() == 0
    noise = several(uniform_noise)
    assert noise.std() == pytest.approx(12**-0.5, rel=0.02)
    assert abs(np.corrcoef(noise[:, :, :-1].ravel(), noise[:, :, 1:].ravel())[0, 1]) < 0.03


def test_bars_have_edges_along_the_axes_only():
    patches = several(bars, 24)
    across = (np.diff(patches, axis=2) != 0).any(-1)
    down = (np.diff(patches, axis=1) != 0).any(-1)
    assert across.any() and down.any()
    crossed = down.any((1, 2))
    assert 0 < crossed.mean() < 1
    for patch in patches[~crossed]:
        assert (patch == patch[:1]).all()


def test_ramps_have_constant_slopes_where_nothing_is_cut_off():
    bent = np.abs(np.diff(several(ramp), n=2, axis=1)).max((1, 2, 3))
    assert (bent < 0.2).all() and np.median(bent) < 0.03


def test_lines_are_thin_strokes_of_one_ink_on_plain_ground():
    patches = several(lines, 24).reshape(24, -1, 3)
    assert sum(np.ptp(patch, axis=0).max() > 0.2 for patch in patches) > 12
    for patch in patches:
        colours, counts = np.unique(patch.round(3), axis=0, return_counts=True)
        # All lie on one line through the ground's colour.
        assert np.linalg.matrix_rank(colours - colours[counts.argmax()], tol=1e-2) <= 1


def test_letters_fill_lines_in_one_ink():
    patches = several(letters, 24)
    shares = []
    for patch in patches.reshape(24, -1, 3):
        counts = np.unique(patch, axis=0, return_counts=True)[1]
        assert len(counts) <= 2
        shares.append(counts.min() / counts.sum() if len(counts) == 2 else 0)
    assert 0.05 < np.median(shares) < 0.4
    changes = (np.diff(patches, axis=2) != 0).any(-1).mean((1, 2))
    assert changes.max() > 0.25 and (changes > 0.05).sum() > 16  # thin strokes, in most patches


def test_gray_patches_start_anywhere():
    def clean(steps, **options):
        dataset = training_dataset(
            [Drawings()], GaussianNoise(25.0), batch_size=4, patch_size=16, channels=1, **options
        )
        return np.concatenate([batch for _, batch in dataset.take(steps).as_numpy_iterator()])

    whole = clean(6)
    assert whole.shape == (24, 16, 16, 1)
    np.testing.assert_array_equal(clean(2, start_step=4), whole[16:])
