"""The dynamic filters beside MalleConv: what Keras asks of them, and what their papers say."""

import keras
import numpy as np
import pytest

from mallenet_tf.layers import (
    DYNAMIC_FILTERS,
    Carafe,
    ContextGatedConv,
    HyperNetwork,
    Involution,
    dynamic_filter,
)
from mallenet_tf.layers.context_gated import _cell_averages
from mallenet_tf.layers.per_pixel import apply_per_pixel
from mallenet_tf.ops import malleable_slice
from tests.helpers.layer_checks import raises_value_error, run_layer_test


def random(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    "build,trainable",
    [
        (lambda: HyperNetwork(3, blocks=1), 3 + 5 + 2),
        (lambda: Involution(3, group_channels=2), 4),
        (lambda: Involution(5, normalization="batch"), 6),
        (lambda: ContextGatedConv(), 2 + 1 + 2 + 1 + 2 + 1),
        (lambda: Carafe(1, 3, compressed=4), 4),
    ],
    ids=["hypernetwork", "involution", "involution_batch", "context_gated", "carafe"],
)
def test_filters_keep_the_shape(build, trainable):
    run_layer_test(build, (2, 7, 5, 4), (2, 7, 5, 4), trainable=trainable)


def test_carafe_upsamples():
    run_layer_test(lambda: Carafe(2, 3, compressed=4), (1, 5, 4, 3), (1, 10, 8, 3), trainable=4)


@pytest.mark.parametrize("size,groups,dilation", [(1, 4, 1), (3, 4, 1), (3, 2, 3), (5, 1, 2)])
def test_per_pixel_kernels_equal_a_loop(size, groups, dilation):
    features = random(2, 6, 5, 4)
    kernels = random(2, 6, 5, size * size, groups)
    wanted = np.zeros_like(features, np.float64)
    for n, y, x, c in np.ndindex(features.shape):
        for tap in range(size * size):
            ty = y + dilation * (tap // size - size // 2)
            tx = x + dilation * (tap % size - size // 2)
            if 0 <= ty < 6 and 0 <= tx < 5:
                kernel = kernels[n, y, x, tap, c // (4 // groups)]
                wanted[n, y, x, c] += float(features[n, ty, tx, c]) * kernel
    np.testing.assert_allclose(apply_per_pixel(features, kernels, dilation), wanted, atol=1e-5)


def test_per_pixel_kernels_are_slices_of_a_grid_as_fine_as_the_image():
    features, kernels = random(1, 6, 5, 4), random(1, 6, 5, 9, 4)
    sliced = malleable_slice(features, kernels, None)
    np.testing.assert_allclose(apply_per_pixel(features, kernels), sliced, atol=1e-5)


def test_per_pixel_kernels_must_fit():
    with raises_value_error("odd K and a G"):
        apply_per_pixel(random(1, 4, 4, 6), random(1, 4, 4, 9, 4))
    with raises_value_error("odd K and a G"):
        apply_per_pixel(random(1, 4, 4, 6), random(1, 4, 4, 4, 6))


def test_a_pixels_involution_kernel_depends_on_it_alone():
    layer = Involution(3, residual=False)
    image = random(1, 5, 5, 4)
    before = keras.ops.convert_to_numpy(layer(image))
    image[0, 2, 2] += 1.0
    changed = np.any(layer(image) != before, axis=-1)[0]
    np.testing.assert_array_equal(np.argwhere(changed).min(0), [1, 1])
    np.testing.assert_array_equal(np.argwhere(changed).max(0), [3, 3])


def test_open_gates_make_an_ordinary_convolution():
    layer = ContextGatedConv()
    image = random(2, 6, 5, 4)
    layer(image)
    for part in (layer.decode_inputs, layer.decode_outputs):
        part.set_weights([np.zeros_like(value) for value in part.get_weights()])
    kernel = keras.ops.reshape(layer.kernel, (3, 3, 4, 4)) / 2  # every gate is one half
    np.testing.assert_allclose(
        layer(image), keras.ops.conv(image, kernel, padding="same") + layer.bias, atol=1e-5
    )


def test_the_whole_image_opens_the_gates():
    layer = ContextGatedConv()
    image = random(1, 12, 12, 4)
    before = keras.ops.convert_to_numpy(layer(image))
    image[0, 11, 11] += 5.0
    assert np.all(np.any(layer(image) != before, axis=-1))


@pytest.mark.parametrize("size", [9, 7, 2])
def test_cells_are_averages_over_equal_parts(size):
    """Against repeating each pixel three times, so that three parts always fall between pixels."""
    features = random(1, size, 2, 3)
    wanted = np.repeat(features, 3, axis=1).reshape(1, 3, size, 2, 3).mean(axis=2)
    np.testing.assert_allclose(_cell_averages(features, 1, 3), wanted, atol=1e-6)
    across = np.swapaxes(features, 1, 2)
    np.testing.assert_allclose(_cell_averages(across, 2, 3), np.swapaxes(wanted, 1, 2), atol=1e-6)


def test_carafe_is_a_weighted_mean_of_the_pixels_under_it():
    layer = Carafe(2, 3, compressed=4)
    image = random(1, 6, 5, 2)
    inside = np.s_[:, 2:-2, 2:-2]
    ones = np.asarray(layer(np.concatenate([image, np.ones_like(image)], -1)))[..., 2:]
    np.testing.assert_allclose(ones[inside], 1.0, atol=1e-6)
    outputs = np.asarray(Carafe(2, 3, compressed=4)(image))
    for y, x in np.ndindex(10, 8):
        around = image[0, max(0, y // 2 - 1) : y // 2 + 2, max(0, x // 2 - 1) : x // 2 + 2]
        assert np.all(outputs[0, y, x] <= np.maximum(around.max((0, 1)), 0) + 1e-6)
        assert np.all(outputs[0, y, x] >= np.minimum(around.min((0, 1)), 0) - 1e-6)


@pytest.mark.parametrize("kind", sorted(set(DYNAMIC_FILTERS) - {"context_gated", "mdcb", "sekg"}))
def test_reach_bounds_what_one_pixel_can_change(kind):
    layer = dynamic_filter(kind, "filter")
    image = random(1, 8, 2 * 160, 8)
    before = keras.ops.convert_to_numpy(layer(image))
    image[0, 4, 160] += 10.0
    columns = np.any(layer(image) != before, axis=(0, 1, 3)).nonzero()[0]
    assert max(160 - columns.min(), columns.max() - 160) <= layer.receptive_field_radius


def test_unknown_filters_and_options_are_refused():
    with raises_value_error("choose one of malleconv"):
        dynamic_filter("dynamic", "filter")
    with pytest.raises(ValueError, match="MalleConv: {'pool': 2}"):
        dynamic_filter("malleconv", "filter", {"pool": 2})
    with raises_value_error("kernel_size must be odd"):
        HyperNetwork(2)
    with raises_value_error("group_channels must divide"):
        Involution(3, group_channels=4)(random(1, 4, 4, 6))
    with raises_value_error("at least 3"):
        ContextGatedConv(1)
    with raises_value_error("kernel_size odd"):
        Carafe(2, 4)
