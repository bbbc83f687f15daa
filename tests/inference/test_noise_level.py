"""Which network and which level an image gets, and what a noise level map means."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mallenet_tf
from mallenet_tf.data import CameraNoise, JpegNoise, PoissonGaussianNoise, RandomChoice
from mallenet_tf.data.random_numbers import sample_seed
from mallenet_tf.inference import Denoiser
from mallenet_tf.inference.level_estimation import TILE, estimate_level
from mallenet_tf.inference.noise_level import MeasuredNoise, default_weights, resolve_level
from mallenet_tf.models import MalleNet, load_model


def scene(height=TILE, width=TILE):
    """Returns smooth shapes in color, float [height, width, 3] in [0, 1]."""
    y, x = np.mgrid[:height, :width] / 64.0
    waves = [0.45 + 0.25 * np.sin(x * a + y * b) for a, b in ((1, 2), (2, 1), (1.5, -1))]
    return np.stack(waves, -1).astype(np.float32)


def stored(image):
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def with_white_noise(sigma, image=None):
    image = scene() if image is None else image
    return stored(image + sigma / 255 * np.random.default_rng(0).standard_normal(image.shape))


def with_camera_noise(level, number=0):
    model = CameraNoise(level=(level, level), reduction=1.0, sharpening=(0.0, 0.0), gray=0.0)
    noisy, _ = model.training_pair(tf.constant(scene()), sample_seed(5, number))
    return stored(noisy.numpy())


@pytest.mark.parametrize("sigma", [5, 15, 25, 50])
def test_white_noise_is_found_white_and_gets_the_network_for_it(sigma):
    noise = MeasuredNoise([with_white_noise(sigma)])
    assert noise.sigma == pytest.approx(sigma, rel=0.1)
    assert noise.is_white
    assert default_weights(noise) == "mallenet_s_color"
    gray = MeasuredNoise([with_white_noise(sigma, scene()[..., :1])])
    assert default_weights(gray) == "mallenet_s_gray"


@pytest.mark.parametrize("level", [4, 16])
def test_camera_noise_gets_the_network_for_photographs_at_about_its_level(level):
    levels = []
    for number in range(5):
        noise = MeasuredNoise([with_camera_noise(level, number)])
        assert not noise.is_white
        assert default_weights(noise) == "mallenet_s_photo"
        levels.append(noise.level)
    assert np.median(levels) == pytest.approx(level, rel=0.35)


def test_a_given_sigma_means_white_noise():
    assert default_weights(MeasuredNoise([with_camera_noise(8)]), 10.0) == "mallenet_s_color"


def test_a_clean_image_has_hardly_any_noise():
    for image in (stored(scene()), np.full((300, 200, 3), 77, np.uint8)):
        assert estimate_level(image) < 1.0


@pytest.mark.parametrize("shape", [(1, 1), (3, 500, 1), (40, 40, 3), (257, 2, 3), (700, 1100, 3)])
def test_images_of_any_size_have_a_level(shape):
    level = estimate_level(np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8))
    assert 0 <= level < 255


def test_a_level_does_not_depend_on_the_type():
    image = with_camera_noise(8)
    level = estimate_level(image)
    assert estimate_level(image.astype(np.uint16) * 257) == pytest.approx(level, rel=1e-4)
    assert estimate_level(image / np.float32(255)) == pytest.approx(level, rel=1e-4)


def test_a_network_for_photographs_is_told_the_level_and_others_sigma():
    noise = MeasuredNoise([with_camera_noise(8)])
    level = resolve_level(load_model("mallenet_s_photo"), noise)
    assert (level.level_map, level.sigma) == ("camera", noise.told_level)
    assert str(level) == f"camera noise, level {noise.told_level:.1f} (estimated)"
    level = resolve_level(load_model("mallenet_s_color"), noise)
    assert (level.level_map, level.sigma) == ("sigma", noise.sigma)


def test_what_a_map_means_is_kept_in_the_file(tmp_path):
    model = MalleNet(width=2, noise_conditioned=True)
    assert model.level_map == "sigma"
    model.level_map = "poisson_gaussian"
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.level_map == "poisson_gaussian"
    denoise = Denoiser(loaded)
    image = with_white_noise(10)
    for sigma in (None, 10.0):
        with pytest.raises(
            ValueError, match="that of poisson_gaussian noise.*give noise_level_map"
        ):
            denoise(image, sigma)
    assert denoise(image, noise_level_map=np.full((TILE, TILE, 1), 0.1, np.float32)).shape


def test_noise_models_say_what_their_maps_mean():
    assert RandomChoice().level_map == "camera"
    assert JpegNoise(PoissonGaussianNoise(conditioned=True)).level_map == "poisson_gaussian"
    assert JpegNoise(conditioned=True).level_map == "jpeg"


def test_the_default_removes_most_of_a_cameras_noise_and_hardly_changes_a_clean_image():
    clean = stored(scene()).astype(float)
    before, after = [], []
    for number in range(2):
        noisy = with_camera_noise(10, number)
        before.append(np.mean((noisy - clean) ** 2))
        after.append(np.mean((mallenet_tf.denoise_image(noisy) - clean) ** 2))
    assert np.mean(after) < 0.5 * np.mean(before)
    change = mallenet_tf.denoise_image(stored(scene())) - clean
    assert 10 * np.log10(255**2 / np.mean(change**2)) > 42
