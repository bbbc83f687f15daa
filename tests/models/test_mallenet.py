"""MalleNet: its cost against the paper's table, its options, and its living malleable branch."""

import keras
import numpy as np
import pytest

from mallenet_tf.models import MODELS, DenoisingModel, MalleNet, build_model, load_model
from mallenet_tf.profiling import count_multiply_adds, count_parameters
from tests.helpers.layer_checks import check_serialisation, raises_value_error
from tests.helpers.model_checks import stripes
from tests.helpers.short_training import check_gradients

# malleconv.txt, Tables 1 and 3: FLOPs (two per multiply-add) at 256 x 256, and the tolerance.
PAPER_GFLOPS = {
    "mallenet_s": (2.93, 0.07),
    "mallenet_m": (9.36, 0.07),
    "mallenet_l": (33.47, 0.07),
    "mallenet_xl": (181.89, 0.16),
    "mallenet_r": (29.11, 0.10),
}


@pytest.fixture(scope="module")
def small():
    """A narrow MalleNet with its random weights; tests must not change it."""
    return MalleNet(width=4)


@pytest.fixture(scope="module")
def trained():
    """A narrow MalleNet after some steps on noisy stripes; tests must not change it."""
    model = MalleNet(width=4)
    noisy, clean = stripes(16, 32)
    model.compile(keras.optimizers.Adam(3e-3), "mae")
    history = model.fit(noisy, clean, batch_size=4, epochs=8, verbose=0).history["loss"]
    assert history[-1] < 0.8 * history[0]
    return model


@pytest.mark.parametrize("name", PAPER_GFLOPS)
def test_flops_are_the_papers(name):
    published, tolerance = PAPER_GFLOPS[name]
    gflops = 2 * count_multiply_adds(build_model(name), 256, 256) / 1e9
    assert gflops == pytest.approx(published, rel=tolerance)


def test_sizes_differ_in_width_alone():
    parameters = [count_parameters(build_model(f"mallenet_{size}")) for size in "sml"]
    assert parameters == [484_963, 1_635_011, 5_930_371]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"image_channels": 1},
        {"noise_conditioned": True},
        {"image_channels": 1, "noise_conditioned": True, "normalization": "batch"},
        {"kernel_size": 3, "block": "residual", "blocks": 1, "trained_sigma": 25.0},
    ],
)
def test_options_build_save_and_reload(options, tmp_path):
    model = build_model("mallenet_s", width=4, **options)
    channels = model.image_channels + model.noise_conditioned
    noisy = np.random.default_rng(0).random((2, 16, 24, channels), np.float32)
    denoised = keras.ops.convert_to_numpy(model(noisy))
    assert denoised.shape == (2, 16, 24, model.image_channels)
    check_serialisation(model, noisy, denoised)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(noisy), denoised, rtol=1e-5, atol=1e-6)
    for name in ("image_channels", "noise_conditioned", "trained_sigma", "size_multiple"):
        assert getattr(again, name) == getattr(model, name)


def test_the_noise_level_plane_changes_the_output():
    model = MalleNet(width=4, noise_conditioned=True)
    noisy = np.random.default_rng(0).random((1, 16, 16, 4), np.float32)
    noisy[..., 3] = 10 / 255
    louder = noisy.copy()
    louder[..., 3] = 50 / 255
    assert not np.allclose(model(noisy), model(louder), atol=1e-4)


def test_height_and_width_must_be_multiples_of_eight(small):
    assert small.size_multiple == 8
    with raises_value_error("multiples of 2"):
        small(np.zeros((1, 12, 16, 3), np.float32))


def test_every_variable_gets_a_finite_gradient_after_a_few_steps(trained):
    check_gradients(trained, *stripes(4, 32))


def test_disabling_the_malleable_branch_changes_a_trained_model(trained):
    noisy, _ = stripes(2, 32)
    before = keras.ops.convert_to_numpy(trained(noisy))
    for level in range(4):
        head = trained.get_layer(f"level{level}_malleconv").predictor.stack[-1]
        weights = head.get_weights()
        head.set_weights([np.zeros_like(value) for value in weights])
        change = np.max(np.abs(trained(noisy) - before))
        head.set_weights(weights)
        assert change > 1e-3, f"the MalleConv of level {level} does nothing"
    np.testing.assert_array_equal(trained(noisy), before)


def test_kernels_of_a_trained_model_vary_over_the_image(trained):
    noisy, _ = stripes(1, 32)
    layer = trained.get_layer("level0_malleconv")
    features = keras.Model(trained.inputs[0], layer.input)(noisy)
    kernels, bias = layer.predictor(features)
    assert np.std(kernels, axis=(1, 2)).max() > 1e-3
    assert np.std(bias, axis=(1, 2)).max() > 1e-4


def test_moving_the_image_by_the_kernel_grid_moves_the_output(small):
    """Away from the border nothing depends on where a pixel stands but its place in the grids."""
    step, reach = 64, small.receptive_field_radius
    image = np.random.default_rng(0).random((1, 16, 2 * reach + 520, 3), np.float32)
    width = image.shape[2] - step
    left = keras.ops.convert_to_numpy(small(image[:, :, :width]))
    right = keras.ops.convert_to_numpy(small(image[:, :, step:]))
    inside = slice(step + reach, width - reach)  # in the left picture; no border is in reach
    there = slice(inside.start - step, inside.stop - step)
    assert inside.stop - inside.start > 300
    np.testing.assert_allclose(left[:, :, inside], right[:, :, there], atol=1e-5)
    shifted = slice(there.start + 1, there.stop + 1)
    assert not np.allclose(left[:, :, inside], right[:, :, shifted], atol=1e-2)


def test_receptive_field_bounds_what_one_pixel_can_change(small):
    image = np.random.default_rng(0).random((1, 8, 2048, 3), np.float32)
    changed = image.copy()
    changed[0, 4, 1024] += 100.0
    columns = np.any(np.abs(small(changed) - small(image)) > 0, axis=(0, 1, 3)).nonzero()[0]
    reach = max(1024 - columns.min(), columns.max() - 1024)
    assert reach <= small.receptive_field_radius
    assert reach > small.receptive_field_radius // 4


def test_unknown_names_and_options_are_refused():
    with raises_value_error("choose one of mallenet_s"):
        build_model("mallenet_xxl")
    with raises_value_error("unexpected keyword"):
        build_model("mallenet_s", depth=3)
    with raises_value_error("image_channels must be 1"):
        build_model("mallenet_s", image_channels=2)
    with raises_value_error("block must be one of"):
        MalleNet(block="dense")
    with raises_value_error("normalization must be one of"):
        MalleNet(width=4, normalization="layer")


def test_every_listed_model_is_a_denoiser():
    for builder, size in MODELS.values():
        assert issubclass(builder, DenoisingModel)
        assert isinstance(size, dict)
