"""Kernel prediction networks: their size, their kernels, and that they learn."""

import numpy as np
import pytest

from mallenet_tf.common import srgb
from mallenet_tf.models import KPN, build_model
from mallenet_tf.profiling import count_parameters
from tests.helpers.layer_checks import raises_value_error
from tests.helpers.model_checks import check_receptive_field, check_saving
from tests.helpers.short_training import check_gradients, photograph_crops, train_a_little

# deformable_kernels.txt, Table 1, where C1 to C26 come from and what C1 to C3 of the weights see.
PUBLISHED = [64] * 3 + [128] * 3 + [256] * 3 + [512] * 9 + [256] * 3 + [128] * 3 + [128] * 2


def chain(channels, widths):
    """Parameters of 3x3 convolutions with biases, one behind the other."""
    pairs = zip([channels, *widths[:-1]], widths, strict=True)
    return sum(9 * before * after + after for before, after in pairs)


@pytest.mark.parametrize("kernel_size, frames", [(5, 1), (7, 5)])
def test_parameters_are_those_of_table_1_without_offsets(kernel_size, frames):
    """Nobody publishes a count; this is Table 1's, summed by hand."""
    model = build_model("kpn", kernel_size=kernel_size, frames=frames, image_channels=1)
    kernels = chain(frames + 128, [64, 64, kernel_size**2 * frames])
    assert count_parameters(model) == chain(frames, PUBLISHED) + kernels


def test_the_default_is_the_papers_smaller_kernel():
    assert build_model("kpn", width=2).get_config()["kernel_size"] == 5


@pytest.mark.parametrize("frames", [1, 3])
def test_known_kernels_give_the_mean_of_the_shifted_frames_in_linear_light(frames):
    model = KPN(3, frames, width=2)
    layer = model.get_layer("weights_c3")
    layer.kernel.assign(0 * layer.kernel)
    kernels = np.zeros((3, 3, frames))
    for frame in range(frames):
        kernels[frame, 1, frame] = 1.0  # the row above, at the pixel, below
    layer.bias.assign(kernels.ravel())
    noisy = np.random.default_rng(0).random((1, 16, 16, 3 * frames), np.float32)
    light = np.pad(srgb.to_linear(noisy, np), [(0, 0), (1, 1), (0, 0), (0, 0)])
    shifted = [
        light[:, frame : frame + 16, :, 3 * frame : 3 * frame + 3] for frame in range(frames)
    ]
    wanted = srgb.to_srgb(np.mean(shifted, axis=0), np)
    np.testing.assert_allclose(model(noisy), wanted, atol=1e-5)


def test_a_fresh_network_is_a_box_filter_nearly():
    model = KPN(5, width=4, image_channels=1)
    flat = np.full((1, 32, 32, 1), 0.5, np.float32)
    np.testing.assert_allclose(model(flat)[:, 2:-2, 2:-2], flat[:, 2:-2, 2:-2], atol=0.05)


def test_options_build_save_and_reload(tmp_path):
    model = KPN(3, frames=3, width=2, noise_conditioned=True)
    check_saving(model, tmp_path)
    assert model.group_results.shape[-1] == 9
    assert KPN(3, width=2).group_results is None
    noisy = np.random.default_rng(0).random((1, 16, 32, 10), np.float32)
    louder = noisy + np.array([0.0] * 9 + [1.0], np.float32)
    assert np.abs(model(louder) - model(noisy)).max() > 1e-6


def test_training_on_photographs_lowers_the_loss_and_reaches_every_variable(shared_images):
    model = KPN(width=4)
    noisy, clean = photograph_crops(shared_images)
    losses = train_a_little(model, noisy, clean, 6, 1e-3, batch_size=8, eagerly=True)
    assert losses[-1] < 0.9 * losses[0]
    check_gradients(model, noisy, clean)


def test_receptive_field_bounds_what_one_pixel_can_change():
    check_receptive_field(KPN(3, width=4, image_channels=1))


def test_an_even_kernel_is_refused():
    with raises_value_error("kernel_size must be odd"):
        KPN(4)
