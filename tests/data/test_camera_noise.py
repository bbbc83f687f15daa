"""Camera noise models against their stated means and variances, and against independent codecs."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mallenet_tf.common import srgb
from mallenet_tf.data import (
    GaussianNoise,
    ImageFolder,
    JpegNoise,
    PoissonGaussianNoise,
    VaryingNoise,
    training_dataset,
)
from mallenet_tf.data.random_numbers import sample_seed

NOISES = [
    PoissonGaussianNoise(conditioned=True),
    VaryingNoise(conditioned=True),
    JpegNoise(conditioned=True),
    JpegNoise(GaussianNoise((0.0, 30.0), conditioned=True), conditioned=True),
    JpegNoise(PoissonGaussianNoise()),
]


def to_linear(values):
    return srgb.to_linear(tf.convert_to_tensor(values), tf)


def to_srgb(values):
    return srgb.to_srgb(tf.convert_to_tensor(values), tf)


def flat(value, size=200, channels=3):
    return tf.fill([size, size, channels], np.float32(value))


def deviations_from(sample, mean, deviation):
    """Standard errors between a sample's mean and standard deviation and the stated ones."""
    values = sample.ravel().astype(np.float64)
    mean_error = (values.mean() - mean) / (deviation / np.sqrt(values.size))
    deviation_error = (values.std() / deviation - 1) * np.sqrt(2 * values.size)
    return abs(mean_error), abs(deviation_error)


def test_transfer_function_is_the_published_one_and_its_own_inverse():
    values = np.linspace(-1.5, 1.5, 3001, dtype=np.float32)
    np.testing.assert_allclose(to_srgb(to_linear(values)), values, atol=2e-6)
    # IEC 61966-2-1, by the decimals that tables of it give.
    linear = to_linear(np.array([0.0, 0.04045, 0.5, 1.0], np.float32)).numpy()
    np.testing.assert_allclose(linear, [0.0, 0.0031308, 0.2140411, 1.0], atol=1e-6)
    np.testing.assert_allclose(to_linear(-values), -to_linear(values).numpy())


@pytest.mark.parametrize("shot", [1e-4, 2.5e-3, 1e-2])
@pytest.mark.parametrize("read", [1e-3, 1e-2, 10**-1.5])
@pytest.mark.parametrize("intensity", [0.0, 0.02, 0.5, 1.0])
def test_sensor_noise_has_the_stated_mean_and_variance_in_linear_light(shot, read, intensity):
    noise = PoissonGaussianNoise((shot, shot), (read, read))
    noisy = noise.apply(to_srgb(flat(intensity)), sample_seed(3, 1))
    expected = np.sqrt(shot * intensity + read**2)
    errors = deviations_from(to_linear(noisy).numpy(), intensity, expected)
    assert max(errors) < 4.5, errors


def test_sensor_noise_is_white_and_gaussian():
    noise = PoissonGaussianNoise((1e-3, 1e-3), (1e-2, 1e-2))
    linear = to_linear(noise.apply(to_srgb(flat(0.5)), sample_seed(5, 0))).numpy() - 0.5
    standard = linear / linear.std()
    assert np.mean(standard**4) == pytest.approx(3.0, abs=0.08)
    for shifted in (standard[1:], standard[:, 1:], standard[..., 1:]):
        kept = standard[tuple(slice(size) for size in shifted.shape)]
        assert abs(np.mean(shifted * kept)) < 4.5 / np.sqrt(shifted.size)


def level_maps(noise, count, clean):
    """The last channel of `count` samples, [count, H, W]."""
    samples = tf.data.Dataset.range(count).map(lambda n: noise.apply(clean, sample_seed(7, n)))
    return next(samples.batch(count).as_numpy_iterator())[..., -1]


def parameters(noise, count):
    return level_maps(noise, count, flat(0.0, 1, 1)).ravel()


def distance_to_uniform(values, low, high):
    """Kolmogorov-Smirnov, times sqrt(n): chance exceeds 1.95 once in a thousand."""
    position = (np.sort(values) - low) / (high - low)
    assert -0.01 < position[0] and position[-1] < 1.01
    count = len(position)
    return np.abs(position - np.linspace(0, 1, count)).max() * np.sqrt(count)


def test_sensor_parameters_are_uniform_in_their_logarithms():
    read = parameters(PoissonGaussianNoise(sigma_s=(1e-12, 1e-12), conditioned=True), 600)
    assert distance_to_uniform(np.log10(read), -3.0, -1.5) < 1.95
    white = tf.ones([40, 40, 1])
    shot = level_maps(PoissonGaussianNoise(sigma_r=(1e-12, 1e-12), conditioned=True), 300, white)
    squares = np.square(shot).mean((1, 2))  # sigma_s times the mean intensity, 1
    assert distance_to_uniform(np.log10(squares), -4.0, -2.0) < 1.95


def test_sensor_map_is_the_level_that_the_noisy_image_suggests():
    noise = PoissonGaussianNoise((4e-3, 4e-3), (2e-2, 2e-2), conditioned=True)
    result = noise.apply(to_srgb(flat(0.3)), sample_seed(1, 2)).numpy()
    q = np.maximum(to_linear(result[..., :3]).numpy(), 0).mean(-1)
    np.testing.assert_allclose(result[..., 3], np.sqrt(4e-4 + 4e-3 * q), rtol=1e-4)
    assert result[..., 3].mean() == pytest.approx(np.sqrt(4e-4 + 4e-3 * 0.3), rel=0.01)


def test_varying_noise_has_the_deviation_of_its_map():
    noise = VaryingNoise((5.0, 50.0), cells=3, conditioned=True)
    for number in range(4):
        result = noise.apply(flat(0.5), sample_seed(11, number)).numpy()
        level = result[..., 3:]
        assert 5 / 255 * 0.999 <= level.min() and level.max() <= 50 / 255 * 1.001
        assert level.std() > 1 / 255
        assert np.abs(np.diff(level, axis=0)).max() < 45 / 255 * 3 / 200 * 1.01  # smooth
        standard = (result[..., :3] - 0.5) / level
        assert max(deviations_from(standard, 0, 1)) < 4.5
        left, right = standard[:, :100], standard[:, 100:]
        assert max(deviations_from(left, 0, 1) + deviations_from(right, 0, 1)) < 4.5


def test_one_cell_is_one_level_drawn_uniformly():
    levels = parameters(VaryingNoise((10.0, 60.0), cells=1, conditioned=True), 600) * 255
    assert distance_to_uniform(levels, 10, 60) < 1.95


def test_jpeg_at_full_quality_keeps_mean_and_variance_of_gray_noise():
    noise = JpegNoise(GaussianNoise(10.0), quality=(100, 100))
    values = noise.apply(flat(128 / 255, channels=1), sample_seed(2, 9)).numpy() * 255
    assert np.abs(values - np.rint(values)).max() < 1e-3
    # Rounded before the codec, in its coefficients and after it.
    expected = np.sqrt(10.0**2 + 3 / 12)
    assert max(deviations_from(values, 128, expected)) < 4.5


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [30, 75, 95])
def test_jpeg_is_what_another_codec_writes(channels, quality):
    random = np.random.default_rng(0)
    smooth = tf.image.resize(random.random((6, 6, channels), np.float32), [96, 96]).numpy()
    noisy = smooth + random.normal(0, 8 / 255, smooth.shape)
    pixels = np.rint(noisy.clip(0, 1) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, "JPEG", quality=quality)
    theirs = np.asarray(Image.open(file), np.float64).reshape(pixels.shape)
    noise = JpegNoise(GaussianNoise(0.0), quality=(quality, quality))
    ours = noise.apply(tf.constant(pixels / 255, tf.float32), sample_seed(4, 4)).numpy() * 255
    assert np.abs(theirs - pixels).mean() > 1
    # Equal where both use the same libjpeg; another one may round its transforms differently.
    assert np.abs(ours - theirs).max() < 2.5 and np.abs(ours - theirs).mean() < 0.1


def test_jpeg_map_says_the_quality_that_was_used():
    noise = JpegNoise(GaussianNoise(0.0), quality=(20, 90), conditioned=True)
    qualities = np.rint(100 * (1 - parameters(noise, 900))).astype(int)
    assert qualities.min() == 20 and qualities.max() == 90
    assert qualities.mean() == pytest.approx(55, abs=4.5 * 20.5 / np.sqrt(900))
    gradient = tf.tile(tf.linspace(0.0, 1.0, 64)[:, None, None], [1, 64, 1])
    image = gradient * 0.5 + 0.25 * tf.sin(40 * gradient)
    errors = {}
    for number in range(40):
        result = noise.apply(image, sample_seed(7, number)).numpy()
        errors[result[0, 0, 1]] = np.abs(result[..., 0] - image.numpy()[..., 0]).mean()
    losses = sorted(errors)
    assert np.corrcoef(losses, [errors[loss] for loss in losses])[0, 1] > 0.8


def test_maps_stand_one_after_the_other():
    both = NOISES[3]
    assert both.noise_level_maps == 2
    result = both.apply(flat(0.5, 64), sample_seed(1, 1)).numpy()
    assert result.shape == (64, 64, 5)
    sigma, loss = result[0, 0, 3] * 255, result[0, 0, 4]
    assert 0 <= sigma <= 30 and 0 <= loss <= 0.5
    assert (result[..., 3:] == result[:1, :1, 3:]).all()


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: type(noise).__name__)
def test_noise_is_a_pure_function_eagerly_and_in_a_map(noise):
    clean = tf.random.stateless_uniform([40, 33, 3], [1, 2])
    seeds = tf.data.Dataset.range(3).map(lambda n: noise.apply(clean, sample_seed(6, n)))
    mapped = list(seeds.as_numpy_iterator())
    for number, result in enumerate(mapped):
        eager = noise.apply(clean, sample_seed(6, number)).numpy()
        assert result.shape == (40, 33, 3 + noise.noise_level_maps)
        np.testing.assert_allclose(result, eager, atol=1e-6)
    assert np.abs(mapped[0] - mapped[1]).max() > 1e-3
    assert np.isfinite(mapped).all()


def test_models_go_through_the_pipeline(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    for noise in NOISES[2:4]:
        data = training_dataset([ImageFolder(tmp_path)], noise, batch_size=2, patch_size=16)
        inputs, clean = next(iter(data))
        assert inputs.shape == data.element_spec[0].shape == (2, 16, 16, 3 + noise.noise_level_maps)
        assert clean.shape == (2, 16, 16, 3)


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: PoissonGaussianNoise(sigma_s=(0.0, 1e-2)), r"sigma_s=\(0\.0, 0\.01\)"),
        (lambda: PoissonGaussianNoise(sigma_r=(1e-1, 1e-2)), r"sigma_r=\(0\.1, 0\.01\)"),
        (lambda: VaryingNoise(sigma=(0.0, 300.0)), r"sigma=\(0\.0, 300\.0\)"),
        (lambda: VaryingNoise(cells=0), "cells=0"),
        (lambda: JpegNoise(quality=(0, 50)), r"quality=\(0, 50\)"),
    ],
)
def test_impossible_parameters_are_refused(build, named):
    with pytest.raises(ValueError, match=f"Received: {named}"):
        build()
