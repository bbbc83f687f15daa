"""Networks rewritten for export compute what they did before."""

import keras
import numpy as np
import pytest

from mallenet_tf.exporting.image_functions import image_functions
from mallenet_tf.exporting.standard_ops import slice_by_resizing, with_standard_ops
from mallenet_tf.inference import Denoiser
from mallenet_tf.models.folding import fold_normalization
from mallenet_tf.ops import malleable_slice_reference


def noisy_batch(*shape):
    return np.random.default_rng(2).uniform(0, 1, shape).astype(np.float32)


def inner_layers(model):
    return list(model._flatten_layers())


def test_folding_keeps_what_a_normalized_network_computes(conditioned):
    folded = fold_normalization(conditioned, implementation="reference")
    images = noisy_batch(2, 16, 24, 4)
    wanted = conditioned(images, training=False).numpy()
    # That much the network does: the agreement below is not of two identities.
    assert np.abs(wanted - images[..., :3]).max() > 0.1
    np.testing.assert_allclose(folded(images, training=False), wanted, rtol=0, atol=1e-5)
    norms = [layer for layer in inner_layers(folded) if "Normalization" in type(layer).__name__]
    assert not norms
    assert folded.get_layer("malleconv1").implementation == "reference"


def test_folding_leaves_the_original_alone(conditioned):
    before = [variable.numpy().copy() for variable in conditioned.variables]
    fold_normalization(conditioned)
    for variable, value in zip(conditioned.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_a_network_without_normalization_is_copied(gray):
    copy = fold_normalization(gray)
    images = noisy_batch(1, 8, 8, 1)
    np.testing.assert_array_equal(copy(images, training=False), gray(images, training=False))
    assert copy.trained_sigma == 15.0


@pytest.mark.parametrize("taps", [1, 9, 25])
@pytest.mark.parametrize("size,grid", [((7, 5), (3, 2)), ((1, 1), (1, 1)), ((16, 9), (1, 4))])
def test_slicing_by_resizing_is_the_reference(taps, size, grid):
    random = np.random.default_rng(3)
    features, kernels, bias = (
        random.normal(size=shape).astype(np.float32)
        for shape in ((2, *size, 3), (2, *grid, taps, 3), (2, *grid, 3))
    )
    wanted = malleable_slice_reference(features, kernels, bias)
    np.testing.assert_allclose(slice_by_resizing(features, kernels, bias), wanted, 0, 2e-5)


def test_standard_operations_compute_the_same(gray):
    images = noisy_batch(2, 10, 14, 1)
    standard = with_standard_ops(gray)
    wanted = gray(images, training=False)
    np.testing.assert_allclose(standard(images, training=False), wanted, rtol=0, atol=1e-5)


def test_any_size_is_padded_as_the_denoiser_pads_it(gray):
    denoise, function = Denoiser(gray, tile=0), image_functions(gray, gray)["denoise"]
    for size in ((1, 1), (1, 9), (2, 3), (5, 8), (17, 4)):
        image = noisy_batch(*size, 1)
        found = function(image[None])["denoised"][0]
        np.testing.assert_allclose(found, denoise(image), rtol=0, atol=1e-5, err_msg=str(size))


def test_networks_with_more_noise_level_maps_are_refused():
    model = keras.Model()
    model.noise_conditioned = 2
    with pytest.raises(ValueError, match="noise_conditioned=2"):
        image_functions(model, model)
