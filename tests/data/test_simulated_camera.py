"""Noise of a simulated camera, and the random choice of noise models."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.common import srgb
from mallenet_tf.data import CameraNoise, GaussianNoise, RandomChoice
from mallenet_tf.data.noise import camera_filters
from mallenet_tf.data.random_numbers import RandomGenerator, sample_seed

# Shot and read noise alone, at a level that clips hardly anything.
SENSOR = CameraNoise(
    level=(6.0, 6.0),
    tone=(0.0, 0.0),
    mosaic=0.0,
    reduction=0.0,
    softness=(0.0, 0.0),
    sharpening=(0.0, 0.0),
    jpeg=0.0,
    gray=0.0,
    conditioned=True,
)


def noise_of(model, clean, number=0):
    """Returns noise in 8-bit units, target and level of one sample."""
    noisy, target = model.training_pair(tf.constant(clean, tf.float32), sample_seed(3, number))
    noisy, target = noisy.numpy(), target.numpy()
    return (noisy[..., :-1] - target) * 255, target, noisy[..., -1] * 255


def flat(value, side=128):
    return np.full((side, side, 3), value, np.float32)


def correlation(first, second):
    return np.corrcoef(first.ravel(), second.ravel())[0, 1]


def neighbors(noise):
    return correlation(noise[:, :-1], noise[:, 1:])


def test_a_sample_is_a_function_of_image_and_seed_eagerly_and_in_a_pipeline():
    clean = np.random.RandomState(0).uniform(size=(40, 33, 3)).astype(np.float32)
    model = CameraNoise(conditioned=True)
    first, again = noise_of(model, clean), noise_of(model, clean)
    np.testing.assert_array_equal(first[0], again[0])
    assert np.abs(first[0] - noise_of(model, clean, 1)[0]).max() > 1
    mapped = tf.data.Dataset.from_tensors(clean).map(
        lambda image: model.training_pair(image, sample_seed(3, 0))
    )
    noisy, target = next(mapped.as_numpy_iterator())
    assert noisy.shape == (40, 33, 4)
    np.testing.assert_allclose((noisy[..., :3] - target) * 255, first[0], atol=1.01)


def test_noise_is_white_without_mosaic_noise_reduction_and_jpeg():
    noise, _, _ = noise_of(SENSOR, flat(0.5))
    for channel in range(3):
        assert abs(neighbors(noise[..., channel])) < 0.03
        assert abs(neighbors(noise[..., channel].T)) < 0.03


def test_the_level_is_the_root_mean_square_on_a_gray_ramp():
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32)[None, :, None], [128, 1, 3])
    for model in (SENSOR, dataclasses.replace(SENSOR, reduction=1.0, mosaic=1.0)):
        noise, _, level = noise_of(model, ramp)
        assert level.min() == level.max() == pytest.approx(6.0, rel=1e-4)
        assert np.sqrt(np.mean(noise**2)) == pytest.approx(6.0, rel=0.12)


def test_a_map_may_be_wrong_about_the_level_and_samples_may_be_clean():
    clean = flat(0.5)
    noise, _, level = noise_of(SENSOR, clean)
    told_noise, _, told = noise_of(dataclasses.replace(SENSOR, told=(0.5, 0.5)), clean)
    np.testing.assert_array_equal(told_noise, noise)
    np.testing.assert_allclose(told, 0.5 * level, rtol=1e-6)
    without, _, level_without = noise_of(dataclasses.replace(SENSOR, clean=1.0), clean)
    assert np.abs(without).max() < 0.51 and np.abs(noise).max() > 6
    np.testing.assert_array_equal(level_without, level)


def test_variance_at_the_sensor_is_linear_in_intensity():
    """In linear light it is shot * q + read^2: doubling q from shadows up adds equal steps."""
    model = dataclasses.replace(SENSOR, shot=(1e-2, 1e-2))
    rng = RandomGenerator(sample_seed(1, 0))
    steps = np.array([0.1, 0.3, 0.5, 0.7], np.float32)
    display = srgb.to_srgb(steps, np)
    image = np.tile(np.repeat(display, 64)[None, None, :], [3, 512, 1])
    noise = model._sensor_noise(tf.constant(image), rng).numpy()
    slopes = srgb.slope(np.repeat(steps, 64), np)
    linear = noise / slopes
    variance = [linear[1, :, 64 * i : 64 * i + 64].var() for i in range(4)]
    slope, offset = np.polyfit(steps, variance, 1)
    np.testing.assert_allclose(variance, slope * steps + offset, rtol=0.05)
    assert slope > 0


def test_a_mosaic_correlates_neighbors_and_noise_reduction_does_so_more():
    mosaic, _, _ = noise_of(dataclasses.replace(SENSOR, mosaic=1.0), flat(0.5))
    assert neighbors(mosaic[..., 0]) > 0.2
    reduced, _, _ = noise_of(dataclasses.replace(SENSOR, mosaic=1.0, reduction=1.0), flat(0.5))
    chroma = reduced[..., 2] - reduced @ np.array(srgb.LUMA)
    assert neighbors(chroma) > 0.8
    assert neighbors(chroma) > neighbors(reduced @ np.array(srgb.LUMA))
    # Channels share luma's noise, as PolyU's do (0.5 to 0.75).
    assert 0.2 < correlation(reduced[..., 0], reduced[..., 1]) < 0.95


def test_targets_are_the_clean_image_where_no_stage_changes_it():
    clean = np.random.RandomState(1).uniform(size=(32, 32, 3)).astype(np.float32)
    _, target, _ = noise_of(dataclasses.replace(SENSOR, mosaic=1.0, reduction=1.0), clean)
    np.testing.assert_allclose(target, clean, atol=1e-5)  # No zipper of demosaicing.


def test_hardly_any_noise_gives_back_the_target():
    clean = np.random.RandomState(2).uniform(size=(32, 32, 3)).astype(np.float32)
    noise, _, _ = noise_of(dataclasses.replace(SENSOR, level=(1e-3, 1e-3)), clean)
    assert np.abs(noise).max() < 0.51  # Rounding to 8 bits.


def test_jpeg_has_both_kinds_of_chroma():
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2, 0] = 255
    stripes[:, :, 2] = 128
    full = camera_filters.jpeg(tf.constant(stripes), tf.constant(100), tf.constant(False)).numpy()
    halved = camera_filters.jpeg(tf.constant(stripes), tf.constant(100), tf.constant(True)).numpy()
    assert np.abs(full.astype(int) - stripes).mean() < 3
    assert np.abs(halved.astype(int) - stripes).mean() > 20


@pytest.mark.parametrize("quality", [1, 42, 70, 97, 100])
def test_full_chroma_takes_every_quality(quality):
    pixels = tf.constant(np.random.RandomState(0).randint(0, 256, (16, 16, 3), np.uint8))
    assert camera_filters.jpeg(pixels, tf.constant(quality), tf.constant(False)).shape == (
        16,
        16,
        3,
    )


def test_gray_images_stay_gray():
    clean = np.random.RandomState(3).uniform(size=(40, 40, 1)).astype(np.float32)
    model = CameraNoise(gray=1.0, jpeg=0.0)
    three, _ = model.training_pair(tf.constant(np.repeat(clean, 3, -1)), sample_seed(0, 0))
    assert np.ptp(three.numpy(), axis=-1).max() < 1e-6
    one, target = model.training_pair(tf.constant(clean), sample_seed(0, 0))
    assert one.shape == target.shape == (40, 40, 1)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (5, 2, 3), (64, 64, 1)])
def test_images_of_any_size_give_finite_pairs(shape):
    for value in (0.0, 1.0):
        pair = CameraNoise(conditioned=True).training_pair(tf.fill(shape, value), sample_seed(0, 5))
        assert all(np.isfinite(part).all() for part in pair)


@pytest.mark.parametrize(
    "options", [{"level": (0.0, 5.0)}, {"mosaic": 1.5}, {"quality": (0, 100)}, {"tone": (0.5, 0.1)}]
)
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=f"Received: {next(iter(options))}="):
        CameraNoise(**options)


def test_a_random_choice_draws_its_models_by_weight():
    low, high = (GaussianNoise(sigma, conditioned=True) for sigma in (1.0, 2.0))
    model = RandomChoice((low, high), (0.25, 0.75))
    assert model.noise_level_maps == 1
    inputs = tf.data.Dataset.range(400).map(
        lambda number: model.apply(tf.fill([1, 1, 3], 0.5), sample_seed(9, number))
    )
    levels = next(inputs.batch(400).as_numpy_iterator())[:, 0, 0, 3] * 255
    assert set(np.round(levels, 4)) == {1.0, 2.0}
    assert np.mean(levels > 1.5) == pytest.approx(0.75, abs=0.08)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"models": (), "weights": ()}, "Every noise model has a weight"),
        ({"weights": (1.0,)}, "Every noise model has a weight"),
        ({"weights": (1.0, 0.0)}, "Weights are numbers > 0"),
        ({"models": (GaussianNoise(), GaussianNoise(conditioned=True))}, "all of the models or"),
    ],
)
def test_a_random_choice_refuses_what_does_not_fit(options, match):
    with pytest.raises(ValueError, match=match):
        RandomChoice(**options)
