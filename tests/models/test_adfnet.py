"""ADFNet: its cost against the paper's tables, its ablations, and its living dynamic branches."""

from math import prod

import keras
import numpy as np
import pytest

from mallenet_tf.layers import SEKG, DeformableConv, DynamicConv, MultiDimensionAttention
from mallenet_tf.models import ADFNet, build_model, load_model
from mallenet_tf.profiling import count_multiply_adds, count_parameters
from tests.helpers.layer_checks import raises_value_error
from tests.helpers.model_checks import check_any_size, check_receptive_field
from tests.helpers.short_training import (
    change_without,
    check_gradients,
    photograph_crops,
    train_a_little,
)

# adfnet.txt, Table 4: what is left out or moved, millions of parameters, and where then are dynamic
# convolutions, shared dynamic kernels, and attention.
TABLE_4 = [
    ({"dynamic_convolution": False, "multi_scale_dynamic": False}, 7.71, "", "", 7),
    ({"dynamic_convolution": False}, 7.64, "", "decoder", 7),
    ({"multi_scale_dynamic": False}, 7.72, "decoder", "", 7),
    ({"integration": False}, 7.65, "decoder", "decoder", 0),
    ({"dynamic_part": "all"}, 7.30, "encoder bottom decoder", "encoder bottom decoder", 7),
    ({"dynamic_part": "encoder"}, 7.65, "encoder", "encoder", 7),
    ({}, 7.65, "decoder", "decoder", 7),
]


@pytest.fixture(scope="module")
def training(shared_images):
    """A narrow ADFNet after some steps on photographs, and its losses; tests must not change it."""
    model = ADFNet(width=8)
    crops = photograph_crops(shared_images)
    return model, train_a_little(model, *crops, epochs=3, learning_rate=1e-3, eagerly=True)


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


def published_parameters(model):
    """As the paper counts: without the deformable convolutions' own kernels and biases."""
    own = sum(
        prod(layer.kernel.shape) + prod(layer.bias.shape)
        for layer in layers_of(model, DeformableConv)
    )
    return count_parameters(model) - own


def published_multiply_adds(model, height, width):
    """As the paper counts: a transposed convolution as if each output saw the whole kernel.

    Deformable convolutions count for their offsets alone, and dynamic kernels as nothing.
    """
    total = count_multiply_adds(model, height, width)
    for layer in model.layers:
        if not layer.name.startswith("scale"):
            continue
        pixels = height * width // 4 ** int(layer.name[len("scale")])
        if isinstance(layer, DeformableConv):
            total -= pixels * prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Conv2DTranspose):
            total += pixels * prod(layer.kernel.shape) * 3 // 4
        elif isinstance(layer, DynamicConv) or "scales_dynamic" in layer.name:
            total -= pixels * 9 * layer.output.shape[-1]
    return total


@pytest.mark.parametrize("options,millions,dynamic,shared,attention", TABLE_4)
def test_ablations_are_those_of_table_4(options, millions, dynamic, shared, attention):
    """The table's numbers are cut or rounded, to two decimals."""
    model = build_model("adfnet", **options)

    def parts(kind):
        return {layer.name.split("_")[1] for layer in layers_of(model, kind)}

    assert abs(published_parameters(model) / 1e6 - millions) < 0.01
    assert parts(DynamicConv) == set(dynamic.split())
    assert parts(SEKG) == set(shared.split())
    assert len(layers_of(model, MultiDimensionAttention)) == attention
    assert len(layers_of(model, DeformableConv)) == 7


def test_adfnet_costs_what_the_paper_says():
    model = build_model("adfnet")
    assert published_parameters(model) == 7_650_973
    assert count_parameters(model) == 8_628_573
    assert published_multiply_adds(model, 128, 128) == pytest.approx(13.9e9, rel=0.001)


def test_wide_adfnet_has_the_parameters_of_the_authors_code():
    assert count_parameters(build_model("adfnet_l")) == pytest.approx(32.8e6, rel=0.002)


def test_a_network_is_saved_and_loaded_with_its_options(tmp_path):
    options = {"dynamic_part": "all", "integration": False, "trained_sigma": 25.0}
    model = build_model("adfnet", width=8, image_channels=1, noise_conditioned=True, **options)
    noisy = np.random.default_rng(0).random((2, 16, 24, 2), np.float32)
    denoised = np.asarray(model(noisy))
    assert denoised.shape == (2, 16, 24, 1)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_allclose(again(noisy), denoised, rtol=1e-5, atol=1e-6)


def test_the_loss_falls_on_photographs_and_every_variable_has_a_gradient(training, shared_images):
    model, losses = training
    assert losses[-1] < 0.9 * losses[0], losses
    check_gradients(model, *photograph_crops(shared_images, count=1))


def test_offsets_and_dynamic_kernels_of_a_trained_network_do_something(training, shared_images):
    model, _ = training
    noisy, _ = photograph_crops(shared_images, count=1)
    offsets = [layer.offsets for layer in layers_of(model, DeformableConv)]
    shared = [layer.kernels for layer in layers_of(model, SEKG)]
    own = [layer.sekg.kernels for layer in layers_of(model, DynamicConv)]
    assert change_without(model, offsets, noisy) > 1e-4
    assert change_without(model, shared, noisy) > 1e-4
    assert change_without(model, own, noisy) > 1e-4


def test_images_of_any_size_are_denoised(training):
    check_any_size(training[0])


def test_receptive_field_bounds_what_one_pixel_can_change():
    """With still taps, and without the blocks that average over the image."""
    model = ADFNet(width=8, dynamic_convolution=False, multi_scale_dynamic=False, integration=False)
    check_receptive_field(model)


def test_wrong_options_are_refused():
    with raises_value_error("multiple of 8"):
        ADFNet(width=12)
    with raises_value_error("dynamic_part must be one of decoder"):
        ADFNet(dynamic_part="middle")
