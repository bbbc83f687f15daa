"""PSNR and SSIM against scikit-image, and the properties that define them."""

import math

import numpy as np
import pytest
import skimage.data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from mallenet_tf.evaluation import psnr, ssim, ssim_3d
from mallenet_tf.image_io import quantize


def pair(shape, sigma, seed=0):
    random = np.random.default_rng(seed)
    clean = random.random(shape)
    return clean, clean + random.normal(0, sigma, shape)


@pytest.mark.parametrize("shape", [(11, 11, 3), (12, 40, 1), (37, 23, 3), (64, 65, 3)])
@pytest.mark.parametrize("sigma", [0.01, 0.1, 0.5])
def test_metrics_agree_with_scikit_image(shape, sigma):
    clean, test = pair(shape, sigma)
    assert psnr(clean, test) == pytest.approx(
        peak_signal_noise_ratio(clean, test, data_range=1), abs=1e-6
    )
    theirs = structural_similarity(
        clean,
        test,
        data_range=1,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(clean, test) == pytest.approx(theirs, abs=1e-6)


def test_metrics_agree_with_scikit_image_on_an_8_bit_photograph():
    clean = skimage.data.astronaut()[:200, 100:350]
    noise = np.random.default_rng(1).normal(0, 25, clean.shape)
    test = np.clip(clean + noise, 0, 255).round().astype(np.uint8)
    assert psnr(clean, test, 255) == pytest.approx(
        peak_signal_noise_ratio(clean, test, data_range=255), abs=1e-6
    )
    theirs = structural_similarity(
        clean,
        test,
        data_range=255,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(clean, test, 255) == pytest.approx(theirs, abs=1e-6)


def test_psnr_of_a_known_error():
    clean = np.full((5, 4, 3), 100, np.uint8)
    assert psnr(clean, clean + 10, 255) == pytest.approx(20 * math.log10(25.5))


def test_8_bit_differences_do_not_wrap_around():
    black, white = np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)
    assert psnr(black, white, 255) == psnr(white, black, 255) == 0.0


def test_float32_images_are_measured_in_float64():
    clean = np.zeros((1000, 1000), np.float32)
    test = np.full((1000, 1000), 1e-4, np.float32)
    assert psnr(clean, test) == pytest.approx(80.0, abs=1e-5)


def test_equal_images():
    clean, _ = pair((16, 16, 3), 0.1)
    assert psnr(clean, clean) == math.inf
    assert ssim(clean, clean) == pytest.approx(1.0, abs=1e-12)


def test_metrics_do_not_depend_on_the_scale():
    clean, test = pair((20, 30, 3), 0.1)
    assert psnr(clean * 255, test * 255, 255) == pytest.approx(psnr(clean, test), abs=1e-9)
    assert ssim(clean * 255, test * 255, 255) == pytest.approx(ssim(clean, test), abs=1e-9)


def test_gray_images_need_no_channel_axis():
    clean, test = pair((20, 30, 1), 0.1)
    assert ssim(clean[..., 0], test[..., 0]) == pytest.approx(ssim(clean, test), abs=1e-12)


def test_metric_errors():
    image = np.zeros((11, 11, 3))
    with pytest.raises(ValueError, match=r"same shape.*Received: clean.shape=\(11, 11, 3\)"):
        psnr(image, image[:, :, :1])
    with pytest.raises(ValueError, match=r"at least 11 x 11.*Received: shape=\(10, 11, 3\)"):
        ssim(image[1:], image[1:])
    with pytest.raises(ValueError, match=r"\[H, W, C\].*Received: shape=\(1, 11, 11, 3\)"):
        ssim(image[None], image[None])
    with pytest.raises(ValueError, match="Received: peak=0"):
        psnr(image, image, 0)
    with pytest.raises(ValueError, match="no pixels"):
        psnr(image[:0], image[:0])


def test_quantize_undoes_the_division_by_255():
    levels = np.arange(256, dtype=np.uint8)
    for kind in (np.float16, np.float32, np.float64):
        np.testing.assert_array_equal(quantize((levels / 255.0).astype(kind)), levels)


def test_quantize_clips_and_rounds_to_the_nearest():
    values = np.array([-0.5, -1e-9, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.0, 7.0, np.inf])
    assert quantize(values).tolist() == [0, 0, 0, 1, 255, 255, 255, 255]


def test_quantize_errors():
    with pytest.raises(ValueError, match="Received: dtype=uint8"):
        quantize(np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="NaN"):
        quantize(np.array([0.5, np.nan]))


def matlab_ssim(clean, test, peak):
    """MATLAB's `ssim` of a volume: Gaussian filter of 11^3, border values repeated, global mean."""

    def blur(volume):
        """One axis after the other, by the definition."""
        weights = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
        for axis in range(3):
            padding = [(5, 5) if other == axis else (0, 0) for other in range(3)]
            padded = np.moveaxis(np.pad(volume, padding, mode="edge"), axis, 0)
            shifted = (padded[start : start + volume.shape[axis]] for start in range(11))
            mean = sum(w * part for w, part in zip(weights, shifted, strict=True)) / weights.sum()
            volume = np.moveaxis(mean, 0, axis)
        return volume

    x, y = clean.astype(np.float64), test.astype(np.float64)
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return np.mean(top / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)))


@pytest.mark.parametrize("shape", [(37, 23, 3), (16, 40, 1), (5, 7, 3), (12, 12, 20)])
@pytest.mark.parametrize("sigma", [0.02, 0.3])
def test_3d_ssim_is_that_of_a_volume(shape, sigma):
    clean, test = pair(shape, sigma)
    assert ssim_3d(clean, test) == pytest.approx(matlab_ssim(clean, test, 1.0), abs=1e-10)
    assert ssim_3d(clean, clean) == pytest.approx(1.0)


def test_the_two_ssims_differ_on_a_photograph_as_the_tables_do():
    clean = skimage.data.astronaut()[:200, 100:350]
    noise = np.random.default_rng(1).normal(0, 8, clean.shape)
    test = np.clip(clean + noise, 0, 255).round().astype(np.uint8)
    assert ssim_3d(clean, test, 255) == pytest.approx(matlab_ssim(clean, test, 255), abs=1e-9)
    assert ssim_3d(clean, test, 255) > ssim(clean, test, 255) + 0.02


def test_3d_ssim_takes_three_axes():
    with pytest.raises(ValueError, match=r"\[H, W, C\] images. Received: shape=\(12, 12\)"):
        ssim_3d(np.zeros((12, 12)), np.zeros((12, 12)))
