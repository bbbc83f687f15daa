"""The noise level estimate is within 10 % on photographs and never fails on a small image."""

import numpy as np
import pytest
import skimage.data

from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.image_io import list_images, load_images, quantize
from mallenet_tf.inference import estimate_sigma
from mallenet_tf.inference.noise_estimation import _clipped_normal

SIGMAS = [5, 15, 25, 50, 75]


@pytest.mark.parametrize("sigma", [0.5, *SIGMAS])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_plain_image(sigma, channels):
    gray = np.full((128, 160, channels), 128, np.uint8)
    noisy = add_gaussian_noise(gray, sigma, "plain")
    assert estimate_sigma(noisy) == pytest.approx(sigma, rel=0.05)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("sigma", SIGMAS)
def test_color_photographs(name, sigma, clipped):
    clean = getattr(skimage.data, name)()
    noisy = add_gaussian_noise(clean, sigma, name, clipped)
    assert estimate_sigma(noisy) == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_gray_photograph(sigma):
    noisy = add_gaussian_noise(skimage.data.camera(), sigma, "camera")
    assert estimate_sigma(noisy) == pytest.approx(sigma, rel=0.1)


def test_8_bit_files_and_their_floats_agree():
    noisy = quantize(add_gaussian_noise(skimage.data.astronaut(), 25, "a"))
    assert estimate_sigma(noisy) == pytest.approx(25, rel=0.1)
    assert estimate_sigma(noisy / 255.0) == pytest.approx(estimate_sigma(noisy), rel=1e-3)


def test_benchmark_photographs(shared_images):
    errors = []
    for folder in ("cbsd68", "kodak24"):
        for name, clean in load_images(list_images(shared_images / folder)[::24]):
            for sigma in (5, 25, 75):
                noisy = add_gaussian_noise(clean, sigma, name)
                errors.append(abs(estimate_sigma(noisy) / sigma - 1))
    assert len(errors) >= 12
    assert max(errors) < 0.1
    assert np.mean(errors) < 0.02


def test_a_gray_picture_stored_in_three_channels_is_not_taken_for_clean():
    noisy = add_gaussian_noise(skimage.data.camera(), 25, "camera")
    tripled = np.repeat(noisy[..., None], 3, axis=2)
    assert estimate_sigma(tripled) == pytest.approx(25, rel=0.1)


def test_the_estimate_scales_with_the_image():
    noisy = add_gaussian_noise(skimage.data.chelsea(), 30, "c")
    assert estimate_sigma(0.5 * noisy + 0.2) == pytest.approx(0.5 * estimate_sigma(noisy), rel=1e-3)


def test_clipped_noise_has_the_moments_of_clipped_samples():
    means, variances = _clipped_normal(60.0)
    true_means = np.linspace(-240, 255 + 240, 257)
    random = np.random.default_rng(0).standard_normal(400_000)
    for index in (40, 100, 128, 200):
        samples = np.clip(true_means[index] + 60 * random, 0, 255)
        assert means[index] == pytest.approx(samples.mean(), abs=0.5)
        assert variances[index] == pytest.approx(samples.var(), rel=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (7, 3, 3), (2, 2, 1), (23, 100, 3), (24, 24)])
def test_small_images_get_a_finite_estimate(shape):
    random = np.random.default_rng(0)
    sigma = estimate_sigma(random.integers(0, 256, shape, dtype=np.uint8))
    assert np.isfinite(sigma) and sigma >= 0


def test_a_small_image_of_pure_noise_is_roughly_right():
    noisy = add_gaussian_noise(np.full((20, 20, 3), 128, np.uint8), 30, "small")
    assert estimate_sigma(noisy) == pytest.approx(30, rel=0.15)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_constant_image_has_no_noise(value):
    assert estimate_sigma(np.full((64, 64, 3), value, np.uint8)) == pytest.approx(0, abs=0.1)


def test_estimate_is_repeatable():
    noisy = add_gaussian_noise(skimage.data.chelsea(), 20, "c")
    assert estimate_sigma(noisy) == estimate_sigma(noisy)


def test_estimate_errors():
    with pytest.raises(ValueError, match=r"Received: shape=\(4, 4, 2\)"):
        estimate_sigma(np.zeros((4, 4, 2)))
    with pytest.raises(ValueError, match=r"Received: shape=\(0, 4\)"):
        estimate_sigma(np.zeros((0, 4)))
