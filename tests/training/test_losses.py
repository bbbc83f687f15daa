"""Losses against NumPy and against the evaluation's PSNR."""

import keras
import numpy as np
import pytest

from mallenet_tf import training
from mallenet_tf.evaluation.metrics import psnr


@pytest.fixture
def pair():
    random = np.random.default_rng(5)
    clean = random.uniform(0.0, 1.0, (3, 7, 5, 3)).astype(np.float32)
    noise = random.normal(0.0, 1.0, clean.shape) * np.array([0.01, 0.1, 0.3])[:, None, None, None]
    return clean, (clean + noise).astype(np.float32)


def per_image(values):
    return values.astype(np.float64).mean(axis=(1, 2, 3))


@pytest.mark.parametrize(
    "loss, expected",
    [
        (training.l1, lambda error: np.abs(error)),
        (training.l2, lambda error: error**2),
        (training.charbonnier, lambda error: np.sqrt(error**2 + 1e-6)),
        (
            lambda clean, denoised: training.charbonnier(clean, denoised, epsilon=0.1),
            lambda error: np.sqrt(error**2 + 0.01),
        ),
    ],
)
def test_losses_are_means_over_each_image(pair, loss, expected):
    clean, denoised = pair
    answer = keras.ops.convert_to_numpy(loss(clean, denoised))
    assert answer.shape == (3,)
    error = denoised.astype(np.float64) - clean
    np.testing.assert_allclose(answer, per_image(expected(error)), rtol=2e-6)


def test_log_mse_is_the_negative_psnr(pair):
    clean, denoised = pair
    answer = keras.ops.convert_to_numpy(training.log_mse(clean, denoised))
    wanted = [-psnr(first, second) for first, second in zip(clean, denoised, strict=True)]
    np.testing.assert_allclose(answer, wanted, rtol=0, atol=1e-3)


def test_log_mse_counts_casts_as_they_are_shown():
    """Noise without a mean is none on gray; on white, where half of it is cut off, it is one."""
    noise = np.random.default_rng(5).normal(0.0, 0.1, (1, 8, 8, 3))
    noise -= noise.mean((1, 2), keepdims=True)
    for level, cast in [(0.5, 0.0), (0.5, 0.02), (1.0, 0.0)]:
        clean = np.full(noise.shape, level, np.float32)
        denoised = (clean + noise + cast * np.array([1, 0, 0])).astype(np.float32)
        error = denoised.astype(np.float64) - clean
        shown = (np.clip(denoised, 0, 1) - clean).mean((1, 2), dtype=np.float64)
        wanted = per_image(error**2) + 5.0 * (shown**2).mean(-1)
        answer = training.log_mse(clean, denoised, cast_weight=5.0)
        np.testing.assert_allclose(answer, 10 * np.log10(wanted), rtol=1e-5)
        assert (wanted > 1.01 * per_image(error**2)) == (cast > 0 or level == 1.0)


def test_log_mse_is_finite_for_a_perfect_answer(pair):
    clean, _ = pair
    answer = keras.ops.convert_to_numpy(training.log_mse(clean, clean))
    np.testing.assert_allclose(answer, -80.0, rtol=1e-5)
