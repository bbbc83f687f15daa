"""A network that starts from another's weights computes what the other does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.models import build_model, copy_weights

SMALL = {"width": 4, "blocks": 1}


def trained(**options):
    """A network whose every weight, also those that start at zero, has a value of its own."""
    keras.utils.set_random_seed(1)
    model = build_model("mallenet_s", **SMALL, **options)
    rng = np.random.default_rng(2)
    for variable in model.variables:
        variable.assign(variable + 0.1 * rng.standard_normal(variable.shape).astype("float32"))
    return model


@pytest.fixture(scope="module")
def colour():
    return trained()


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(3).random((1, 16, 24, 3), np.float32)


def fresh(**options):
    return build_model("mallenet_s", **SMALL, **options)


def with_plane(image, sigma=40.0):
    return np.concatenate([image, np.full_like(image[..., :1], sigma / 255)], axis=-1)


def assert_same(values, wanted):
    """Equal but for the order of float32 sums, which differs between processors."""
    scale = float(np.abs(wanted).max())
    np.testing.assert_allclose(values, wanted, rtol=0, atol=max(1e-5, 3e-6 * scale))


def test_equal_networks_become_equal(colour, image):
    target = fresh()
    copy_weights(colour, target)
    np.testing.assert_array_equal(target(image), colour(image))


def test_a_new_noise_level_plane_has_no_influence(colour, image):
    target = fresh(noise_conditioned=True)
    copy_weights(colour, target)
    assert_same(target(with_plane(image)), colour(image))


def test_several_new_planes_have_no_influence(colour, image):
    target = fresh(noise_conditioned=2)
    copy_weights(colour, target)
    planes = np.concatenate([with_plane(image), with_plane(image, 9.0)[..., 3:]], axis=-1)
    assert_same(target(planes), colour(image))
    with pytest.raises(ValueError, match="no weights that fit"):
        copy_weights(target, fresh(noise_conditioned=True))


def test_a_gray_network_is_the_mean_of_the_colour_one(colour, image):
    target = fresh(image_channels=1)
    copy_weights(colour, target)
    gray = image[..., :1]
    expected = np.mean(colour(np.repeat(gray, 3, axis=-1)), axis=-1, keepdims=True)
    np.testing.assert_allclose(target(gray), expected, rtol=1e-4, atol=1e-4)


def test_a_conditioned_gray_network_keeps_the_plane(image):
    source = trained(noise_conditioned=True)
    target = fresh(image_channels=1, noise_conditioned=True)
    copy_weights(source, target)
    gray = image[..., :1]
    colours = np.repeat(gray, 3, axis=-1)
    expected = np.mean(source(with_plane(colours)), axis=-1, keepdims=True)
    np.testing.assert_allclose(target(with_plane(gray)), expected, rtol=1e-4, atol=1e-4)
    assert np.abs(target(with_plane(gray)) - target(with_plane(gray, 0.0))).max() > 1e-3


@pytest.mark.parametrize("width", [8, 12])
def test_a_wider_network_has_the_outputs_and_its_copies_learn_different_things(image, width):
    source = trained(noise_conditioned=True)
    target = build_model("mallenet_s", **SMALL | {"width": width}, noise_conditioned=True)
    copy_weights(source, target)
    noisy = with_plane(image)
    assert_same(target(noisy), source(noisy))
    values = [variable.value for variable in target.trainable_variables]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(target(noisy, training=True)))
    for variable, gradient in zip(
        target.trainable_variables, tape.gradient(loss, values), strict=True
    ):
        if "noise/" not in variable.path:  # Its outputs are the image's colors.
            copies = np.reshape(gradient, (-1, width // 4))
            assert np.abs(copies[:, 0] - copies[:, 1]).max() > 1e-3 * np.abs(copies).max()


@pytest.mark.parametrize("options", [{"width": 6}, {"width": 2}, {"kernel_size": 3}, {"blocks": 2}])
def test_another_structure_is_refused_and_changes_nothing(colour, options):
    target = build_model("mallenet_s", **SMALL | options)
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in target.variables]
    with pytest.raises(ValueError, match=r"of one structure.* Received: source='mallenet_s'"):
        copy_weights(colour, target)
    for variable, value in zip(target.variables, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), value)


def test_a_plane_is_not_taken_away():
    source, target = trained(noise_conditioned=True), fresh()
    with pytest.raises(ValueError, match="no weights that fit"):
        copy_weights(source, target)
