"""What the switches of the layers change, against the formulas of the papers."""

import keras
import numpy as np
import pytest

from mallenet_tf.layers import (
    MDCB,
    DeformableConv,
    HyperNetwork,
    KernelPredictor,
    MalleConv,
    MultiDimensionAttention,
    OffsetUpsample,
)
from tests.helpers.layer_checks import check_serialisation, raises_value_error


def random(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture
def malleconv_pair():
    """From options to a pair of layers with the same weights: sliced, and with the options."""

    def make(features, **options):
        layers = [MalleConv(pool_size=2, blocks=1), MalleConv(pool_size=2, blocks=1, **options)]
        for layer in layers:
            layer(features)
        layers[1].set_weights(layers[0].get_weights())
        return layers

    return make


def test_stored_kernels_give_what_sliced_ones_do(malleconv_pair):
    features = random(2, 9, 14, 3)
    sliced, stored = malleconv_pair(features, interpolation="stored")
    np.testing.assert_allclose(stored(features), sliced(features), atol=1e-5)


def test_equation_1_to_the_letter_starts_at_the_first_kernel(malleconv_pair):
    features = random(1, 8, 8, 2)
    _, corner = malleconv_pair(features, interpolation="corner", residual=False)
    kernels, bias = (np.asarray(value) for value in corner.predictor(features))
    filtered = np.asarray(corner(features))
    ratio = 2 / 8  # kernels per pixel
    for y, x in np.ndindex(8, 8):
        near = np.maximum(1 - np.abs(np.minimum(ratio * np.array([y, x]), 1)[:, None] - [0, 1]), 0)
        share = near[0][:, None] * near[1]
        kernel = np.tensordot(share, kernels[0, :, :, 0], 2)
        wanted = kernel * features[0, y, x] + np.tensordot(share, bias[0], 2)
        np.testing.assert_allclose(filtered[0, y, x], wanted, rtol=1e-4, atol=1e-5)


def test_without_a_limit_kernels_grow_with_the_features():
    features = 1e4 * np.ones((1, 8, 8, 4), np.float32)
    for layer in (KernelPredictor(1, 2, 1, tap_limit=None), KernelPredictor(1, 2, 1)):
        largest = np.max(np.abs(layer(features)[0]))
        assert (largest > 10) == (layer.tap_limit is None)


def test_the_halves_of_the_predictor_may_differ():
    predictor = KernelPredictor(blocks=(2, 4))
    predictor.build((1, 32, 32, 4))
    blocks = [
        layer.name for layer in predictor.stack if "_" in layer.name and "PReLU" not in layer.name
    ]
    assert [sum(half in name for name in blocks) for half in ("fine_", "coarse_")] == [2, 4]


def test_hypernetwork_has_the_weights_of_malleconvs_predictor():
    shapes = []
    for layer in (HyperNetwork(), MalleConv()):
        layer(random(1, 8, 8, 4))
        shapes.append(sorted(tuple(weight.shape) for weight in layer.trainable_variables))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("averages", ["code", "paper", "mixed"])
def test_attention_averages_what_it_says(averages):
    x = random(2, 5, 4, 3)

    def weight(features, *axes):
        scale = 1 if averages == "paper" else 2
        return scale * sigmoid(features.mean(axes, keepdims=True))

    first = x * (weight(x, 3) if averages == "paper" else weight(x, 1, 2))
    source = first if averages == "code" else x
    axes = ((2,), (1,)) if averages == "paper" else ((2, 3), (1, 3))
    wanted = first + sum(first * weight(source, *axis) for axis in axes)
    layer = MultiDimensionAttention(averages)
    np.testing.assert_allclose(layer(x), wanted, rtol=1e-4, atol=1e-5)
    assert MultiDimensionAttention.from_config(layer.get_config()).averages == averages


def test_mdcb_keeps_the_shape_and_its_configuration():
    layer = MDCB(reduced=8, averages="paper", max_offset=3.0)
    features = random(1, 6, 5, 16)
    outputs = keras.ops.convert_to_numpy(layer(features))
    assert outputs.shape == features.shape and np.any(outputs != features)
    check_serialisation(layer, features, outputs)


def test_offsets_given_are_those_predicted():
    features, guide = random(1, 6, 5, 8), random(1, 6, 5, 4)
    predicting, given = DeformableConv(4, groups=2), DeformableConv(4, groups=2, predicts=False)
    predicting(features, guide)
    predicting.offsets.kernel.assign(random(*predicting.offsets.kernel.shape))
    offsets = predicting.offsets(guide)
    given(features, offsets)
    given.set_weights([predicting.kernel, predicting.bias])
    np.testing.assert_allclose(given(features, offsets), predicting(features, guide), atol=1e-5)
    with raises_value_error("54 channels of offsets"):
        DeformableConv(4, groups=2, predicts=False)(features, guide)


def test_a_bound_keeps_far_pixels_out():
    layer = DeformableConv(1, groups=1, max_offset=2.0)
    image = random(1, 1, 41, 1)
    layer(image)
    layer.offsets.bias.assign(np.tile([0.0, 30.0, 0.0], 9))  # far to the right
    before = keras.ops.convert_to_numpy(layer(image))
    image[0, 0, 20] += 1.0
    changed = np.any(layer(image) != before, axis=-1)[0, 0].nonzero()[0]
    assert 20 - changed.min() <= layer.receptive_field_radius == 3


def test_offsets_double_with_the_size_and_modulations_do_not():
    found = np.tile(np.float32([1.5, -2.0, 0.4]), (1, 2, 3, 4))
    transferred = np.asarray(OffsetUpsample()(found))
    assert transferred.shape == (1, 4, 6, 12)
    wanted = np.tile(np.float32([3.0, -4.0, sigmoid(0.4)]), 4)
    np.testing.assert_allclose(transferred, np.broadcast_to(wanted, (1, 4, 6, 12)), rtol=1e-5)


def test_unknown_switches_are_refused():
    with raises_value_error("interpolation must be one of"):
        MalleConv(interpolation="nearest")
    with raises_value_error("averages must be one of"):
        MultiDimensionAttention("median")
