"""Shares of sources."""

import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.data.mixture import Mixture


@pytest.mark.parametrize("weights", [[1.0], [1.0, 1.0], [0.7, 0.3], [5, 2, 1], [1.0, 0.001]])
def test_numbers_within_a_source_and_among_all_agree(weights):
    mixture = Mixture(weights)
    owners = mixture.source_of(tf.range(2500, dtype=tf.int64)).numpy()
    for source in range(len(weights)):
        numbers = np.flatnonzero(owners == source)
        indices = tf.range(len(numbers), dtype=tf.int64)
        np.testing.assert_array_equal(mixture.number_of(source, indices), numbers)
        for number in (0, 1, 7, 999, 1000, 1001, 2499):
            assert mixture.count_before(source, number) == np.sum(numbers < number)


def test_shares_are_kept_over_any_stretch():
    owners = Mixture([0.5, 0.3, 0.2]).source_of(tf.range(3000, dtype=tf.int64)).numpy()
    for source, share in enumerate([0.5, 0.3, 0.2]):
        used = np.cumsum(owners == source)
        assert np.abs(used - share * np.arange(1, 3001)).max() < 1.5
        assert used[-1] == 3000 * share


@pytest.mark.parametrize("weights", [[], [1.0, 0.0], [-1.0], [float("nan")], [1.0, 1e-5]])
def test_impossible_weights_are_refused(weights):
    with pytest.raises(ValueError, match="Received: weights="):
        Mixture(weights)
