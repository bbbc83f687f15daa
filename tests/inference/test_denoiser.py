"""The denoiser keeps shape and type, on any size, for gray and color, told and untold noise."""

import keras
import numpy as np
import pytest

from mallenet_tf.inference import Denoiser, estimate_sigma, noise_level
from mallenet_tf.inference.channels import to_batch
from mallenet_tf.models import DenoisingModel as Model


def toy_model(channels=3, conditioned=False, scale=0.5, trained_sigma=None):
    """Halves its input and, where it is told the noise level, adds sigma / 255."""
    inputs = keras.Input((None, None, channels + conditioned))
    outputs = inputs[..., :channels] * scale
    if conditioned:
        outputs = outputs + inputs[..., channels:]
    model = Model(inputs, outputs)
    model.image_channels = channels
    model.noise_conditioned = conditioned
    model.size_multiple = 8
    model.trained_sigma = trained_sigma
    return model


@pytest.fixture(scope="module")
def color():
    return Denoiser(toy_model(), tile=192)


SHAPES = [(1, 1), (1, 1, 3), (7, 3, 3), (7, 3, 1), (333, 501, 3), (200, 65), (193, 192, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_integers_come_back_as_they_were(color, shape, kind):
    image = np.random.default_rng(0).integers(0, np.iinfo(kind).max + 1, shape, dtype=kind)
    result = color(image)
    assert result.dtype == kind and result.shape == shape
    assert np.abs(result - image / 2.0).max() <= 0.51


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_floats_come_back_as_they_were(color, shape, kind):
    image = np.random.default_rng(0).random(shape).astype(kind)
    result = color(image)
    assert result.dtype == kind and result.shape == shape
    np.testing.assert_allclose(result, image / 2, atol=1e-3 if kind == np.float16 else 1e-6)


def test_identity_network_gives_the_very_same_8_bit_image():
    image = np.random.default_rng(0).integers(0, 256, (300, 401, 3), dtype=np.uint8)
    for tile in (0, 192, 1024):
        np.testing.assert_array_equal(Denoiser(toy_model(scale=1.0), tile=tile)(image), image)


def blurring_model():
    """The mean of 9 x 9 pixels, with zeros around what it is given."""
    inputs = keras.Input((None, None, 1))
    kernel = np.full((9, 9, 1, 1), 1 / 81, np.float32)
    model = Model(inputs, keras.ops.conv(inputs, kernel, padding="same"))
    model.image_channels, model.noise_conditioned, model.size_multiple = 1, False, 8
    model.trained_sigma = None
    return model


@pytest.mark.parametrize("tile", [0, 192])
@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (200, 333)])
def test_the_zeros_that_a_network_pads_with_do_not_show_at_the_border(tile, shape):
    result = Denoiser(blurring_model(), tile=tile)(np.full(shape, 0.75, np.float32))
    np.testing.assert_allclose(result, 0.75, atol=1e-6)


@pytest.mark.parametrize("height", [190, 193, 230, 257, 300])
def test_an_image_may_be_replaced_while_it_is_denoised(height):
    image = np.random.default_rng(0).random((height, 260, 1), np.float32)
    denoise = Denoiser(blurring_model(), tile=192)
    wanted = denoise(image)
    denoise(image, out=image)
    np.testing.assert_array_equal(image, wanted)


def test_noise_is_of_at_most_255(monkeypatch):
    monkeypatch.setattr(noise_level, "estimate_sigma", lambda image: 300.0)
    noisy = np.random.default_rng(0).integers(0, 256, (200, 300, 1), dtype=np.uint8)
    told = Denoiser(toy_model(1, conditioned=True, scale=0.0))(noisy)
    np.testing.assert_array_equal(told, 255)


def test_where_there_is_no_noise_nothing_changes():
    dots = np.random.default_rng(0).integers(0, 2, (200, 300, 1), dtype=np.uint8) * np.uint8(255)
    denoise = Denoiser(toy_model(1, conditioned=True, scale=0.0))
    np.testing.assert_array_equal(denoise(dots), dots)
    np.testing.assert_array_equal(denoise(dots, sigma=0), dots)
    beyond = np.float32([[[-0.5]], [[0.5]], [[1.5]]])
    np.testing.assert_array_equal(denoise(beyond, sigma=0), np.clip(beyond, 0, 1))
    linear = denoise(beyond, sigma=0, linear_light=True)
    np.testing.assert_array_equal(linear, beyond)


def test_results_are_clipped_and_noise_excursions_are_taken(color):
    image = np.array([[[-0.6, 0.5, 2.4]]])
    np.testing.assert_allclose(color(image), [[[0.0, 0.25, 1.0]]], atol=1e-6)


def test_the_input_is_left_alone(color):
    image = np.random.default_rng(0).random((30, 40, 3), np.float32)
    before = image.copy()
    color(image)
    np.testing.assert_array_equal(image, before)


def test_views_and_read_only_arrays_are_taken(color):
    image = np.random.default_rng(0).random((40, 60, 3), np.float32)[::2, ::-3]
    image.flags.writeable = False
    np.testing.assert_allclose(color(image), image / 2, atol=1e-6)


def test_gray_images_in_color_networks_and_the_reverse():
    random = np.random.default_rng(0)
    gray = random.random((20, 30), np.float32)
    color = random.random((20, 30, 3), np.float32)
    inputs = keras.Input((None, None, 3))
    weighted = inputs * np.array([0.3, 0.6, 0.9], np.float32)
    model = Model(inputs, weighted)
    np.testing.assert_allclose(Denoiser(model)(gray), 0.6 * gray, atol=1e-6)
    np.testing.assert_allclose(Denoiser(toy_model(1))(color), color / 2, atol=1e-6)
    np.testing.assert_allclose(Denoiser(toy_model(1))(gray[..., None])[..., 0], gray / 2, atol=1e-6)


def test_three_equal_channels_go_through_a_gray_network_once(monkeypatch):
    gray = np.random.default_rng(0).random((20, 30, 1), np.float32)
    denoise, batches = Denoiser(toy_model(1)), []

    def remember(*tile):
        batches.append(to_batch(*tile))
        return batches[-1]

    monkeypatch.setattr("mallenet_tf.inference.denoiser.to_batch", remember)
    result = denoise(np.repeat(gray, 3, axis=2))
    assert [len(batch) for batch in batches] == [1]
    np.testing.assert_array_equal(result, np.repeat(denoise(gray), 3, axis=2))


def test_a_conditioned_network_is_told_sigma_over_255():
    image = np.full((20, 30, 3), 0.5, np.float32)
    told = Denoiser(toy_model(conditioned=True))(image, sigma=51)
    np.testing.assert_allclose(told, 0.25 + 0.2, atol=1e-6)


def test_a_noise_level_map_is_cut_padded_and_cropped_with_its_image():
    random = np.random.default_rng(0)
    image = random.random((300, 250, 3), np.float32)
    level = random.random((300, 250, 1), np.float32) / 4
    for tile in (0, 192):
        told = Denoiser(toy_model(conditioned=True), tile=tile)(image, noise_level_map=level)
        np.testing.assert_allclose(told, np.clip(image / 2 + level, 0, 1), atol=1e-6)
    same = Denoiser(toy_model(conditioned=True))
    everywhere = np.full_like(level, 51 / 255)
    np.testing.assert_array_equal(same(image, noise_level_map=everywhere), same(image, sigma=51))


def test_a_network_of_several_maps_takes_them_and_no_sigma():
    inputs = keras.Input((None, None, 5))
    model = Model(inputs, inputs[..., :3] + inputs[..., 3:4] - inputs[..., 4:])
    model.noise_conditioned = 2
    image = np.full((20, 30, 3), 0.5, np.float32)
    maps = np.stack([np.full((20, 30), 0.25), np.full((20, 30), 0.5)], axis=2).astype(np.float32)
    denoise = Denoiser(model)
    np.testing.assert_allclose(denoise(image, noise_level_map=maps), 0.25, atol=1e-6)
    with pytest.raises(ValueError, match="takes 2 noise level maps.*Received: sigma=25"):
        denoise(image, sigma=25)
    with pytest.raises(ValueError, match="takes 2 noise level maps.*Received: sigma=None"):
        denoise(image)


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 2), (20, 31, 1)])
def test_a_noise_level_map_that_does_not_fit_is_refused(shape):
    image, level = np.zeros((20, 30, 3), np.float32), np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match=r"noise_level_map is \[H, W, 1\] .*Received:"):
        Denoiser(toy_model(conditioned=True))(image, noise_level_map=level)


def test_a_noise_level_map_and_sigma_exclude_each_other():
    image, level = np.zeros((20, 30, 3), np.float32), np.zeros((20, 30, 1), np.float32)
    with pytest.raises(ValueError, match="replaces sigma. Received: .*sigma=5"):
        Denoiser(toy_model(conditioned=True))(image, 5.0, level)
    with pytest.raises(ValueError, match="takes 0 noise level maps"):
        Denoiser(toy_model())(image, noise_level_map=level)


def test_weights_may_change_between_calls():
    inputs = keras.Input((None, None, 3))
    mix = keras.layers.Conv2D(3, 1, use_bias=False, kernel_initializer="zeros")
    model = Model(inputs, mix(inputs))
    denoise, image = Denoiser(model), np.full((9, 7, 3), 0.5, np.float32)
    assert (denoise(image) == 0).all()
    mix.set_weights([np.eye(3, dtype=np.float32)[None, None]])
    np.testing.assert_allclose(denoise(image), 0.5, atol=1e-6)


def test_a_conditioned_network_is_told_the_estimate_by_default():
    random = np.random.default_rng(0)
    image = 0.5 + random.normal(0, 20 / 255, (200, 300, 3))
    denoiser = Denoiser(toy_model(conditioned=True), tile=192)
    np.testing.assert_array_equal(denoiser(image), denoiser(image, estimate_sigma(image)))
    assert np.mean(denoiser(image)) == pytest.approx(0.25 + 20 / 255, abs=0.002)


def test_ensemble_and_tiles_go_together():
    image = np.random.default_rng(0).random((300, 250, 3), np.float32)
    model = toy_model()
    result = Denoiser(model, tile=192, ensemble=True)(image)
    np.testing.assert_allclose(result, image / 2, atol=1e-6)


def test_the_network_is_traced_once_for_all_sizes():
    traces = []

    class Traced(keras.layers.Layer):
        def call(self, inputs):
            traces.append(inputs.shape)
            return inputs

    inputs = keras.Input((None, None, 3))
    model = Model(inputs, Traced()(inputs))
    denoiser = Denoiser(model)
    traces.clear()
    for size in (1, 10, 33, 64):
        denoiser(np.zeros((size, 2 * size, 3), np.float32))
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([[0.5]], "NumPy array. Received: list"),
        (np.zeros((2, 4, 4, 3)), r"Received: shape=\(2, 4, 4, 3\)"),
        (np.zeros((4, 4, 4)), r"Received: shape=\(4, 4, 4\)"),
        (np.zeros((0, 4, 3)), r"no pixels. Received: shape=\(0, 4, 3\)"),
        (np.zeros((4, 4, 3), np.int16), "Received: dtype=int16"),
        (np.zeros((4, 4, 3), bool), "Received: dtype=bool"),
        (np.full((4, 4, 3), np.nan), "NaN"),
        (np.full((4, 4, 3), 128.0), "divide 8-bit values by 255. Received: values from 128 to 128"),
    ],
)
def test_what_is_no_image_is_refused(color, image, message):
    with pytest.raises(ValueError, match=message):
        color(image)


def test_a_sigma_that_cannot_be_told_is_refused():
    image = np.zeros((8, 8, 3), np.float32)
    fixed = Denoiser(toy_model(trained_sigma=25.0))
    with pytest.raises(ValueError, match="trained for sigma 25 .*Received: sigma=10"):
        fixed(image, sigma=10)
    conditioned = Denoiser(toy_model(conditioned=True))
    for sigma in (-1, 300, float("nan")):
        with pytest.raises(ValueError, match=f"0 to 255. Received: sigma={sigma}"):
            conditioned(image, sigma=sigma)


def test_tiles_that_do_not_fit_are_refused_at_once():
    with pytest.raises(ValueError, match="multiples of 64"):
        Denoiser(toy_model(), tile=1000)
