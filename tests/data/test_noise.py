"""Gaussian noise for evaluation and for training."""

import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.data import GaussianNoise, add_gaussian_noise
from mallenet_tf.data.random_numbers import sample_seed

FLAT = np.full((200, 300, 3), 128, np.uint8)


def test_evaluation_noise_has_the_asked_mean_and_deviation():
    noise = add_gaussian_noise(FLAT, 25.0, "a.png") - 128 / 255
    assert noise.dtype == np.float32
    assert abs(noise.mean()) * 255 < 4 * 25 / np.sqrt(noise.size)
    assert noise.std() * 255 == pytest.approx(25.0, rel=0.01)
    # Gaussian: the fourth moment is 3, neighbours are not correlated.
    assert np.mean((noise / noise.std()) ** 4) == pytest.approx(3.0, abs=0.1)
    assert abs(np.mean(noise[:, 1:] * noise[:, :-1])) < 0.01 * noise.var()


def test_unclipped_track_leaves_the_range():
    noisy = add_gaussian_noise(np.zeros_like(FLAT), 25.0, "a.png")
    assert noisy.min() < 0
    assert not np.allclose(noisy * 255, np.rint(noisy * 255), atol=1e-2)


def test_clipped_track_is_what_a_file_holds():
    unclipped = add_gaussian_noise(FLAT, 75.0, "a.png")
    clipped = add_gaussian_noise(FLAT, 75.0, "a.png", clipped=True)
    levels = np.rint(clipped * 255)
    np.testing.assert_allclose(clipped, levels / 255, atol=1e-7)
    assert levels.min() == 0 and levels.max() == 255
    # The unclipped values have been rounded to float32, which may tip a tie.
    assert np.abs(levels / 255 - np.clip(unclipped, 0, 1)).max() * 255 < 0.5001


def test_noise_depends_on_the_name_alone_and_scales_with_sigma():
    first = add_gaussian_noise(FLAT, 25.0, "a.png")
    np.testing.assert_array_equal(first, add_gaussian_noise(FLAT / 255.0, 25.0, "a.png"))
    other = add_gaussian_noise(FLAT, 25.0, "b.png")
    correlation = np.corrcoef((first - 128 / 255).ravel(), (other - 128 / 255).ravel())[0, 1]
    assert abs(correlation) < 0.02
    double = add_gaussian_noise(FLAT, 50.0, "a.png")
    np.testing.assert_allclose(double - 128 / 255, 2 * (first - 128 / 255), atol=1e-6)


def test_noise_of_a_name_never_changes():
    """Published numbers rest on these values: sha256 seeds a Mersenne twister."""
    noise = add_gaussian_noise(np.zeros((1, 2, 1)), 255.0, "kodim01.png").ravel()
    np.testing.assert_allclose(noise, [-0.7156947255134583, -0.6406392455101013], rtol=1e-6)


def test_evaluation_noise_refuses_nonsense():
    for sigma in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="Received: sigma="):
            add_gaussian_noise(FLAT, sigma, "a.png")
    with pytest.raises(ValueError, match=r"Received: image\.dtype=int64"):
        add_gaussian_noise(FLAT.astype(np.int64), 25.0, "a.png")


def apply_to_flat(noise, count=1, shape=(40, 50, 3)):
    clean = tf.fill(shape, 0.5)
    inputs = tf.data.Dataset.range(count).map(lambda n: noise.apply(clean, sample_seed(7, n)))
    return next(inputs.batch(count).as_numpy_iterator())


def test_training_noise_is_neither_clipped_nor_biased():
    noisy = apply_to_flat(GaussianNoise(200.0), shape=(200, 200, 3))
    assert noisy.min() < 0 and noisy.max() > 1
    assert noisy.std() * 255 == pytest.approx(200.0, rel=0.01)
    assert abs(noisy.mean() - 0.5) * 255 < 4 * 200 / np.sqrt(noisy.size)


def test_conditioned_input_ends_with_the_noise_level_map_of_the_sigma_used():
    inputs = apply_to_flat(GaussianNoise((0.0, 75.0), conditioned=True), 60)
    assert inputs.shape[1:] == (40, 50, 4)
    maps = inputs[..., 3]
    assert (maps == maps[:, :1, :1]).all()
    measured = (inputs[..., :3] - 0.5).std((1, 2, 3))
    np.testing.assert_allclose(measured, maps[:, 0, 0], rtol=0.06, atol=1e-4)


def test_range_is_drawn_uniformly_per_sample():
    maps = apply_to_flat(GaussianNoise((10.0, 60.0), conditioned=True), 500, (1, 1, 1))[..., 1]
    sigmas = np.sort(maps.ravel() * 255)
    assert 10 <= sigmas[0] and sigmas[-1] <= 60
    # Kolmogorov-Smirnov distance to the uniform distribution, far beyond chance at 0.1.
    assert np.abs((sigmas - 10) / 50 - np.linspace(0, 1, 500)).max() < 0.1


def test_fixed_sigma_fills_the_map_exactly():
    level = apply_to_flat(GaussianNoise(25.0, conditioned=True))[..., 3]
    np.testing.assert_array_equal(level, np.float32(25.0 / 255.0))


def test_sigma_zero_changes_nothing():
    np.testing.assert_array_equal(apply_to_flat(GaussianNoise(0.0)), np.float32(0.5))


def test_gray_and_noise_level_maps():
    assert apply_to_flat(GaussianNoise(5.0, conditioned=True), shape=(3, 4, 1)).shape[-1] == 2
    assert GaussianNoise(5.0).noise_level_maps == 0
    assert GaussianNoise(5.0, conditioned=True).noise_level_maps == 1


@pytest.mark.parametrize("sigma", [-1.0, (5.0, 1.0), (1.0, 2.0, 3.0), (0.0, float("inf"))])
def test_impossible_levels_are_refused(sigma):
    with pytest.raises(ValueError, match="Received: sigma="):
        GaussianNoise(sigma)
