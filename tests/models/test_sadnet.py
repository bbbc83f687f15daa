"""SADNet: its cost against the paper's table, its ablations, and its living offsets."""

from math import prod

import numpy as np
import pytest

from mallenet_tf.layers import DeformableConv, OffsetUpsample
from mallenet_tf.models import SADNet, build_model, load_model
from mallenet_tf.profiling import count_multiply_adds, count_parameters
from tests.helpers.layer_checks import raises_value_error
from tests.helpers.model_checks import check_any_size, check_receptive_field
from tests.helpers.short_training import (
    change_without,
    check_gradients,
    photograph_crops,
    train_a_little,
)


@pytest.fixture(scope="module")
def training(shared_images):
    """A narrow SADNet after some steps on photographs, and its losses; tests must not change it."""
    model = SADNet(width=8)
    crops = photograph_crops(shared_images)
    return model, train_a_little(model, *crops, epochs=4, learning_rate=1e-3, eagerly=True)


def test_sadnet_costs_what_the_paper_says():
    """Table 7 counts a transposed convolution as if each output saw the whole kernel."""
    model = build_model("sadnet")
    assert count_parameters(model) == 4_234_723  # of the authors' code
    assert count_parameters(model) == pytest.approx(4_321e3, rel=0.025)
    published = count_multiply_adds(model, 320, 480)
    for scale in range(3):
        kernel = model.get_layer(f"scale{scale}_decoder_up").kernel
        published += 320 * 480 // 4**scale * prod(kernel.shape) * 3 // 4
    assert published == pytest.approx(50.1e9, rel=0.004)


def test_a_network_is_saved_and_loaded_with_its_options(tmp_path):
    options = {"dilations": (1, 2, 4, 8), "offset_transfer": False, "trained_sigma": 25.0}
    model = build_model("sadnet", width=8, image_channels=1, noise_conditioned=True, **options)
    noisy = np.random.default_rng(0).random((2, 16, 24, 2), np.float32)
    denoised = np.asarray(model(noisy))
    assert denoised.shape == (2, 16, 24, 1)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_allclose(again(noisy), denoised, rtol=1e-5, atol=1e-6)


def test_ablations_change_what_they_say():
    """Table 1; the numbers are its lines' parameters, counted by hand for the full width."""
    plain = {"spatial_adaptive": False, "offset_transfer": False}
    context = 16_448 + 4 * 36_928 + 65_792
    guides = 83_008 + 46_144 + 27_712 + 18_496  # without transfer; four scales, coarsest first
    transfers = 3 * 18_464
    deformable = 4 * 62_424  # the convolutions to offsets; their other weights the blocks have too
    bare = count_parameters(SADNet(context=False, **plain))
    for options, more in (
        (plain, context),
        ({"context": False, "offset_transfer": False}, deformable + guides),
        ({"offset_transfer": False}, context + deformable + guides),
        ({"context": False}, deformable + guides + transfers),
        ({}, context + deformable + guides + transfers),
    ):
        assert count_parameters(SADNet(**options)) - bare == more, options


def test_offsets_and_modulations_are_transferred_as_in_equation_5():
    model = SADNet(width=8, transfer="offsets", max_offset=4.0)
    transfers = [layer for layer in model.layers if isinstance(layer, OffsetUpsample)]
    assert [layer.output.shape[-1] for layer in transfers] == [3 * 9 * 8] * 3
    assert not any(layer.predicts for layer in model.layers if isinstance(layer, DeformableConv))
    with raises_value_error("transfer must be one of"):
        SADNet(transfer="kernels")


def test_dilations_of_the_context_block():
    def found(model):
        branches = [layer for layer in model.layers if "context_branch" in layer.name]
        return [layer.dilation_rate[0] for layer in branches]

    assert found(SADNet(width=8)) == [1, 2, 3, 4]
    assert found(SADNet(width=8, dilations=(1, 2, 4, 8))) == [1, 2, 4, 8]


def test_the_loss_falls_on_photographs_and_every_variable_has_a_gradient(training, shared_images):
    model, losses = training
    assert losses[-1] < 0.9 * losses[0], losses
    check_gradients(model, *photograph_crops(shared_images, count=1))


def test_offsets_and_their_transfer_do_something_in_a_trained_network(training, shared_images):
    model, _ = training
    noisy, _ = photograph_crops(shared_images, count=1)
    offsets = [layer.offsets for layer in model.layers if isinstance(layer, DeformableConv)]
    transfers = [layer for layer in model.layers if layer.name.endswith("offset_transfer")]
    assert (len(offsets), len(transfers)) == (4, 3)
    assert change_without(model, offsets, noisy) > 1e-4
    assert change_without(model, transfers, noisy) > 1e-5


def test_images_of_any_size_are_denoised(training):
    check_any_size(training[0])


def test_receptive_field_bounds_what_one_pixel_can_change():
    """With still taps, as a fresh network has them."""
    model = SADNet(width=8)
    check_receptive_field(model)


def test_wrong_options_are_refused():
    with raises_value_error("multiple of 8"):
        SADNet(width=20)
    with raises_value_error("no offsets to transfer"):
        SADNet(spatial_adaptive=False)
