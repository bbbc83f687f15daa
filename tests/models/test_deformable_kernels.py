"""Deformable kernels: their size, the geometry of their taps, and that they learn to move them."""

import keras
import numpy as np
import pytest

from mallenet_tf.inference import Denoiser as ImageDenoiser
from mallenet_tf.models import DeformableKernels, build_model
from mallenet_tf.models.deformable_kernels import MAX_OFFSET
from mallenet_tf.profiling import count_parameters
from tests.helpers.layer_checks import raises_value_error
from tests.helpers.model_checks import check_receptive_field, check_saving
from tests.helpers.short_training import check_gradients, train_a_little

TINY = {"width": 4, "image_channels": 1}
# deformable_kernels.txt, Table 1: the widths of C1 to C26.
TABLE_1 = [64] * 3 + [128] * 3 + [256] * 3 + [512] * 9 + [256] * 3 + [128] * 3 + [128] * 2


def convolution(channels, filters):
    """Parameters of a 3x3 convolution with biases."""
    return 9 * channels * filters + filters


def chain(channels, widths):
    """Parameters of 3x3 convolutions, one behind the other."""
    return sum(map(convolution, [channels, *widths[:-1]], widths))


def moving_stripes(count=8, size=32, frames=5, speed=2):
    """Noisy windows of oblique stripes that move, and their clean middle frames."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    windows, middles = [], []
    for _ in range(count):
        angle, phase = random.uniform(0, 2 * np.pi, 2)
        direction = random.choice([-speed, speed])
        places = [x + direction * (frame - frames // 2) for frame in range(frames)]
        along = [np.cos(angle) * place + np.sin(angle) * y for place in places]
        clean = [0.5 + 0.4 * np.sign(np.sin(0.8 * place + phase)) for place in along]
        windows.append(np.stack(clean, -1))
        middles.append(clean[frames // 2][..., None])
    clean = np.asarray(middles, np.float32)
    noisy = np.asarray(windows, np.float32)
    return noisy + random.normal(0, 0.1, noisy.shape).astype(np.float32), clean


@pytest.fixture(scope="module")
def trained():
    """A narrow 3-D network and what it was trained on, with its offsets before and after."""
    model = build_model("deformable_kernels_3d", **TINY)
    noisy, clean = moving_stripes()
    offsets = keras.Model(model.inputs[0], model.get_layer("c27").output)
    before = offsets.predict(noisy, verbose=0)
    losses = train_a_little(model, noisy, clean, 8, 5e-3, batch_size=8, eagerly=True)
    return model, noisy, clean, losses, before, offsets.predict(noisy, verbose=0)


@pytest.mark.parametrize(
    "name, planes, frames, taps, coordinates",
    [("deformable_kernels_2d", 0, 1, 25, 2), ("deformable_kernels_3d", 1, 5, 27, 3)],
)
def test_parameters_are_those_of_table_1(name, planes, frames, taps, coordinates):
    """The paper publishes no count; this is Table 1's, summed by hand."""
    model = build_model(name, image_channels=1, noise_conditioned=planes)
    seen = frames + planes
    offset_network = chain(seen, [*TABLE_1, taps * coordinates])
    weights = chain(taps + seen + 128, [64, 64, taps])
    assert count_parameters(model) == offset_network + weights
    assert model.frames == frames


@pytest.mark.parametrize(
    "variant, dimensions, frames, groups",
    [("full", 2, 1, 1), ("full", 2, 3, 3), ("rigid", 3, 5, 3)]
    + [("static_weights", 3, 5, 3), ("direct", 3, 5, 1)],
)
def test_variants_have_the_parts_that_they_name(variant, dimensions, frames, groups):
    model = DeformableKernels(dimensions, 3, frames, width=2, variant=variant)
    parts = {layer.name for layer in model.layers} & {"c27", "samples", "weights_c3"}
    assert (
        parts
        == {
            "full": {"c27", "samples", "weights_c3"},
            "rigid": {"samples", "weights_c3"},
            "static_weights": {"c27", "samples"},
            "direct": {"c27"},
        }[variant]
    )
    results = model.group_results
    assert (1 if results is None else results.shape[-1] // 3) == groups


@pytest.mark.parametrize("variant, dimensions", [("full", 2), ("static_weights", 3)])
def test_networks_save_and_reload(variant, dimensions, tmp_path):
    check_saving(
        DeformableKernels(
            dimensions, 3, 3, width=2, variant=variant, noise_conditioned=True, trained_sigma=5.0
        ),
        tmp_path,
    )


def with_kernel(model, taps, offsets=None):
    """Makes a network's kernels the same everywhere: weights of the taps, offsets [taps, 3]."""
    for name, values in (("weights_c3", taps), ("c27", offsets)):
        if values is not None:
            layer = model.get_layer(name)
            layer.kernel.assign(0 * layer.kernel)
            layer.bias.assign(np.ravel(values))
    return model


def test_a_kernel_of_the_middle_tap_returns_the_middle_frame():
    noisy = np.random.default_rng(0).uniform(-0.2, 1.2, (1, 16, 32, 5)).astype(np.float32)
    model = build_model("deformable_kernels_3d", **TINY)
    kernel = np.eye(27)[13]
    with_kernel(model, kernel, np.zeros((27, 3)))
    np.testing.assert_allclose(model(noisy), noisy[..., 2:3], atol=2e-6)


def test_offsets_follow_a_known_motion():
    """Each tap, in its own frame, finds the place that a moving scene has moved on to."""
    step = np.array([3, -5])  # pixels down and right from frame to frame
    scene = np.random.default_rng(0).random((64, 64), np.float32)
    starts = [np.array([16, 32]) - frame * step for frame in (-1, 0, 1)]
    frames = [scene[y : y + 16, x : x + 16] for y, x in starts]
    noisy = np.stack([np.zeros((16, 16)), *frames, np.zeros((16, 16))], -1)[None].astype(np.float32)
    grid = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(27, 3)  # t, y, x
    moves = grid[:, :1] * step - grid[:, 1:]  # from the rigid place to where the pixel went
    offsets = np.arctanh(np.concatenate([moves / MAX_OFFSET, np.zeros((27, 1))], -1))
    model = with_kernel(build_model("deformable_kernels_3d", **TINY), np.full(27, 1 / 27), offsets)
    inside = np.s_[:, 5:11, 5:11]
    np.testing.assert_allclose(model(noisy)[inside], noisy[..., 2:3][inside], atol=1e-4)
    groups = keras.Model(model.inputs[0], model.group_results)(noisy)
    for group in range(3):
        part = groups[..., group : group + 1]
        np.testing.assert_allclose(part[inside], noisy[..., 2:3][inside], atol=1e-4)
    rigid = DeformableKernels(3, 3, 5, variant="rigid", **TINY)
    with_kernel(rigid, np.full(27, 1 / 27))
    assert np.abs(rigid(noisy)[inside] - noisy[..., 2:3][inside]).max() > 0.1


def test_training_lowers_the_loss_and_moves_the_taps(trained):
    _, _, _, losses, before, after = trained
    assert losses[-1] < 0.75 * losses[0]
    assert np.mean(MAX_OFFSET * np.abs(before)) < 1.0
    assert np.mean(MAX_OFFSET * np.abs(after - before)) > 0.2


def test_every_variable_gets_a_finite_gradient(trained):
    model, noisy, clean, *_ = trained
    check_gradients(model, noisy[:4], clean[:4])


def test_all_frames_matter_and_their_order_does(trained):
    model, noisy, *_ = trained
    whole = keras.ops.convert_to_numpy(model(noisy[:2]))
    for frame in range(5):
        changed = noisy[:2].copy()
        changed[..., frame] = 0.5
        assert np.abs(model(changed) - whole).max() > 1e-3, frame
    assert np.abs(model(noisy[:2, ..., ::-1]) - whole).max() > 1e-3


def test_the_noise_level_plane_changes_the_output():
    model = build_model("deformable_kernels_2d", noise_conditioned=True, **TINY)
    noisy = np.random.default_rng(0).random((1, 16, 16, 2), np.float32)
    louder = noisy + np.array([0.0, 1.0], np.float32)
    assert np.abs(model(noisy) - model(louder)).max() > 1e-6


def test_receptive_field_bounds_what_one_pixel_can_change():
    check_receptive_field(build_model("deformable_kernels_2d", **TINY))


def test_images_of_any_size_are_denoised():
    denoise = ImageDenoiser(build_model("deformable_kernels_2d", width=2, kernel_size=3))
    image = np.random.default_rng(0).random((21, 35, 3), np.float32)
    denoised = denoise(image)
    assert denoised.shape == image.shape and np.all(np.isfinite(denoised))


def test_wrong_options_are_refused():
    with raises_value_error("variant must be one of"):
        DeformableKernels(variant="soft")
    with raises_value_error("Three dimensions need several frames"):
        DeformableKernels(3, 3)
    with raises_value_error("frames must be odd"):
        DeformableKernels(2, 3, frames=4)
    with raises_value_error("kernel_size must be odd"):
        DeformableKernels(2, 4)
