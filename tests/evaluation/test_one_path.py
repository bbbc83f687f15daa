"""Validations score what users get: their images are the denoiser's, bit for bit."""

import keras
import numpy as np
import pytest
from PIL import Image

from mallenet_tf.data import GaussianNoise, JpegNoise, PoissonGaussianNoise
from mallenet_tf.evaluation import psnr, validation
from mallenet_tf.evaluation.validation import NoiseValidation, PairValidation, Validation
from mallenet_tf.evaluation.video_validation import VideoValidation
from mallenet_tf.image_io import quantize
from mallenet_tf.inference import Denoiser
from mallenet_tf.models import DenoisingModel, MalleNet, build_model
from mallenet_tf.models.denoising_model import image_input
from tests.helpers.video_clips import moving_frames, write_folder


@keras.saving.register_keras_serializable("mallenet_tests")
class Blur(DenoisingModel):
    """Means of everything around a pixel: what lies beyond the border shows everywhere."""

    def __init__(self, frames=1, noise_conditioned=0, name="blur", **_):
        inputs, _ = image_input(3, noise_conditioned, frames)
        blur = keras.layers.Conv2D(3, 9, padding="same", kernel_initializer="he_normal")
        options = {
            "frames": frames,
            "image_channels": 3,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": None,
        }
        super().__init__(inputs, blur(inputs), options, name)
        self.kernel_grid = 8


@pytest.fixture
def photographs(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in ("0_clean.png", "0_noisy.png"):
        coarse = random.integers(0, 256, (5, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((50, 37), Image.Resampling.BICUBIC).save(folder / name)
    return folder


@pytest.fixture
def scored(monkeypatch):
    """The samples that validations score, and what they score."""
    seen = []
    original = validation.denoise_sample

    def spy(denoise, sample):
        denoised = original(denoise, sample)
        seen.append((sample, denoised))
        return denoised

    monkeypatch.setattr(validation, "denoise_sample", spy)
    return seen


def small(noise_conditioned=0):
    keras.utils.set_random_seed(0)
    return MalleNet(width=4, blocks=0, noise_conditioned=noise_conditioned)


def check(make, model, scored):
    """Scores a model and compares what was scored with a denoiser's results."""
    scores, _ = make.scorer(model)(model)
    denoise = Denoiser(model)
    assert scored
    for sample, denoised in scored:
        if len(sample.noisy) == 1:
            wanted = denoise(sample.noisy[0], sample.sigma, sample.noise_level_map)
        else:
            wanted = denoise.denoise_window(sample.noisy, sample.sigma, sample.noise_level_map)
        wanted = wanted if wanted.dtype == np.uint8 else quantize(wanted)
        np.testing.assert_array_equal(denoised, wanted)
    values = [psnr(sample.clean, denoised, 255) for sample, denoised in scored]
    assert np.mean(list(scores.values())) == pytest.approx(np.mean(values))


@pytest.mark.parametrize("noise_conditioned", [0, 1])
def test_validation_scores_the_denoisers_images(photographs, scored, noise_conditioned):
    check(Validation(photographs, (15.0, 25.0)), small(noise_conditioned), scored)
    assert len(scored) == 4
    assert [sample.sigma for sample, _ in scored[::2]] == (
        [15.0, 25.0] if noise_conditioned else [None, None]
    )


def test_pair_validation_scores_the_denoisers_images(photographs, scored):
    check(PairValidation(photographs / "*_noisy.png"), small(1), scored)
    assert len(scored) == 1 and scored[0][0].noisy[0].dtype == np.uint8


@pytest.mark.parametrize(
    "noise",
    [
        GaussianNoise(25.0),
        PoissonGaussianNoise(conditioned=True),
        JpegNoise(GaussianNoise(9.0, conditioned=True), conditioned=True),
    ],
    ids=["no map", "one map", "two maps"],
)
def test_noise_validation_scores_the_denoisers_images(photographs, scored, noise):
    check(NoiseValidation(photographs, noise), Blur(1, noise.noise_level_maps), scored)
    maps = scored[0][0].noise_level_map
    assert (0 if maps is None else maps.shape[2]) == noise.noise_level_maps


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("noise", [None, PoissonGaussianNoise(conditioned=True)])
def test_video_validation_scores_the_denoisers_images(tmp_path, scored, frames, noise):
    write_folder(tmp_path / "video", moving_frames(6, 40, 37))
    check(VideoValidation(tmp_path, (20.0,), noise, each=2), Blur(frames, 1), scored)
    assert len(scored) == 2 and len(scored[0][0].noisy) == frames


def test_the_margin_that_users_get_counts(photographs, scored):
    """Without it the borders of a network that sees far would be scored on padding."""
    model = build_model("mallenet_s", width=4, blocks=0)
    check(Validation(photographs), model, scored)
    assert model.margin > 0
    sample, denoised = scored[0]
    narrow = Denoiser(model)
    narrow.margin = 0
    assert (quantize(narrow(sample.noisy[0])) != denoised).any()
