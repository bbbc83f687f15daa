"""DnCNN, UNet and RDN: their cost against the papers, and a dynamic filter in their middle."""

import keras
import numpy as np
import pytest

from mallenet_tf.inference import Denoiser
from mallenet_tf.layers import DYNAMIC_FILTERS, MDCB, MalleConv
from mallenet_tf.models import build_model
from mallenet_tf.models.denoising_model import image_input, subtract_noise
from mallenet_tf.models.folding import fold_normalization
from mallenet_tf.profiling import count_multiply_adds, count_parameters
from tests.helpers.layer_checks import raises_value_error
from tests.helpers.model_checks import check_receptive_field, check_saving, check_training, stripes
from tests.helpers.short_training import check_gradients

SMALL = {
    "dncnn": {"depth": 3, "width": 8},
    "unet": {"blocks": 2, "width": 4},
    "rdn": {"blocks": 3, "width": 4, "block_layers": 2},
}


def gflops(model):
    return 2 * count_multiply_adds(model, 256, 256) / 1e9


def test_dncnn_has_the_papers_cost():
    """malleconv.txt, Table 1: 68.15 GFLOPs; Table 2, depth 15 with a MalleConv: by pooling size."""
    assert gflops(build_model("dncnn")) == pytest.approx(68.15, rel=0.002)
    for pool, published in ((2, 72.44), (4, 66.00), (8, 64.39)):
        model = build_model("dncnn", dynamic="malleconv", dynamic_options={"pool_size": pool})
        assert gflops(model) == pytest.approx(published, rel=0.04)


def test_dncnn_of_seventeen_layers_has_the_published_parameters():
    """sadnet.txt, Table 7: 558k for the colour network; 86.1 GFLOPs of one multiply-add each."""
    model = build_model("dncnn", depth=16)
    assert count_parameters(model) == pytest.approx(558_000, rel=0.001)
    assert count_multiply_adds(model, 320, 480) / 1e9 == pytest.approx(86.1, rel=0.01)


def test_rdn_has_the_published_parameters():
    """Zhang et al. 2020, Table 1 counts 22 M for 16 blocks of 8 layers and 64 channels."""
    assert count_parameters(build_model("rdn")) == pytest.approx(22e6, rel=0.01)


def test_unet_doubles_its_width_with_each_scale():
    model = build_model("unet", **SMALL["unet"])
    shapes = {layer.name: layer.kernel.shape for layer in model.layers if hasattr(layer, "kernel")}
    assert shapes["encoder0_conv1"][2:] == (4, 4)
    assert shapes["encoder1_conv1"][2:] == (8, 8)
    assert shapes["bottom_conv1"][2:] == (16, 16)
    assert shapes["decoder0_conv0"][2:] == (8, 4)


@pytest.mark.parametrize("name", SMALL)
def test_backbones_train_and_save(name, tmp_path):
    model = build_model(name, **SMALL[name], dynamic="malleconv", trained_sigma=25.0)
    check_saving(model, tmp_path)
    check_training(model)


@pytest.mark.parametrize("dynamic", sorted(set(DYNAMIC_FILTERS) - {"malleconv"}))
def test_every_variable_of_every_filter_gets_a_gradient_in_dncnn(dynamic):
    model = build_model("dncnn", **SMALL["dncnn"], dynamic=dynamic, normalization=None)
    offsets = [variable for variable in model.variables if "offset" in variable.path]
    for variable in offsets:  # begins at zero, where what leads to it has no gradient
        variable.assign(np.random.default_rng(0).normal(0, 0.1, variable.shape))
    check_gradients(model, *stripes(2, 16))


@pytest.mark.parametrize("name", SMALL)
def test_one_layer_is_replaced(name):
    plain = build_model(name, **SMALL[name])
    model = build_model(name, **SMALL[name], dynamic="malleconv", dynamic_options={"pool_size": 2})
    (filtering,) = [layer for layer in model.layers if isinstance(layer, MalleConv)]
    assert filtering.predictor.pool_size == 2
    convolutions = [
        sum(isinstance(layer, keras.layers.Conv2D) for layer in network.layers)
        for network in (plain, model)
    ]
    assert convolutions[0] == convolutions[1] + 1


def test_three_mdcbs_replace_a_block_of_rdn():
    """adfnet.txt, Fig. 7."""
    options = {"width": 8, "blocks": 3, "block_layers": 2}
    model = build_model("rdn", **options, dynamic="mdcb", dynamic_blocks=3)
    assert sum(isinstance(layer, MDCB) for layer in model.layers) == 3
    assert not any(layer.name.startswith("block1_conv") for layer in model.layers)
    with raises_value_error("needs a filter"):
        build_model("rdn", **options, dynamic_blocks=3)


@pytest.mark.parametrize("name", SMALL)
def test_receptive_field(name):
    check_receptive_field(build_model(name, **SMALL[name]))
    check_receptive_field(build_model(name, **SMALL[name], dynamic="hypernetwork"))


def test_unet_with_carafe(tmp_path):
    model = build_model("unet", **SMALL["unet"], upsampling="carafe", noise_conditioned=True)
    check_saving(model, tmp_path)
    check_receptive_field(model)


def test_folding_the_normalisation_changes_nothing():
    model = build_model("dncnn", depth=4, width=8, dynamic="malleconv")
    random = np.random.default_rng(0)
    for variable in model.variables:
        if "_norm/" in variable.path:
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
    noisy = random.random((1, 16, 24, 3), np.float32)
    folded = fold_normalization(model, implementation="reference")
    left = [layer.name for layer in folded.layers if "norm" in layer.name]
    assert left == ["dynamic2_norm"]  # behind the filter, which cannot take it in
    np.testing.assert_allclose(folded(noisy), model(noisy), atol=1e-5)


def test_sizes_that_cannot_be_built_are_refused():
    with raises_value_error("depth must be at least 3"):
        build_model("dncnn", depth=2)
    with raises_value_error("blocks and width must be at least 1"):
        build_model("unet", blocks=0)
    with raises_value_error("upsampling must be one of"):
        build_model("unet", upsampling="bilinear")
    with raises_value_error("Sizes must be at least 1"):
        build_model("rdn", width=0)
    with raises_value_error("choose one of malleconv"):
        build_model("rdn", **SMALL["rdn"], dynamic="dynamic")


@pytest.mark.parametrize("name", [*SMALL, "mallenet_s"])
def test_told_of_no_noise_the_image_comes_back(name):
    model = build_model(name, **SMALL.get(name, {"width": 4}), noise_conditioned=True)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.1)
    image = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    for level, same in ((0.0, True), (25.0, False)):
        plane = np.full((1, 16, 16, 1), level / 255, np.float32)
        answer = model(np.concatenate([image, plane], -1))
        assert np.array_equal(answer, image) == same


def test_noise_fades_below_one_step_of_its_level():
    inputs, noisy = image_input(1, True)
    model = keras.Model(inputs, subtract_noise(inputs, noisy, keras.ops.ones_like(noisy), True))
    levels = np.float32([-1, 0, 0.25, 1, 25])
    answer = model(np.stack([np.full(5, 3.0), levels / 255], -1)[None, None].astype(np.float32))
    np.testing.assert_allclose(answer[0, 0, :, 0], [3, 3, 2.75, 2, 2], rtol=1e-6)


def test_planes_of_other_parameters_do_not_fade_the_noise():
    inputs, noisy = image_input(1, 2)
    model = keras.Model(inputs, subtract_noise(inputs, noisy, keras.ops.ones_like(noisy), 2))
    np.testing.assert_array_equal(model(np.zeros((1, 4, 4, 3), np.float32)), -np.ones((1, 4, 4, 1)))


@pytest.mark.parametrize(
    "name, options, multiple",
    [
        ("dncnn", {"depth": 3}, 1),
        ("dncnn", {"depth": 3, "dynamic": "hypernetwork"}, 1),
        ("dncnn", {"depth": 3, "dynamic": "malleconv"}, 8),
        ("rdn", {"blocks": 1, "dynamic": "malleconv", "dynamic_options": {"pool_size": 3}}, 6),
        ("unet", {"blocks": 2}, 4),
        ("unet", {"blocks": 2, "dynamic": "malleconv", "dynamic_options": {"pool_size": 2}}, 16),
        ("mallenet_s", {}, 16),
    ],
)
def test_images_are_padded_to_whole_kernels(name, options, multiple):
    network = build_model(name, width=2, **options)
    assert network.padding_multiple == multiple
    assert network.margin == {6: 36}.get(multiple, 32)


def test_the_denoiser_has_room_for_a_margin_of_whole_kernels():
    network = build_model("unet", blocks=3, width=2, dynamic="malleconv")
    assert Denoiser(network).margin == network.margin == network.padding_multiple == 64


def test_kernels_stand_where_they_were_trained_to_on_any_size():
    network = build_model("dncnn", depth=3, width=4, dynamic="malleconv", normalization=None)
    image = np.random.default_rng(0).random((137, 201, 3), np.float32)
    # Enough of the image that what is behind it, mirrored or not, lies beyond the kernels' reach.
    whole = Denoiser(network, tile=0)(image)[:8, :8]
    more = np.pad(image, ((0, 111), (0, 111), (0, 0)))
    np.testing.assert_allclose(whole, Denoiser(network, tile=0)(more)[:8, :8], atol=1e-6)
