"""Reflection padding of images of any size, and the eight-fold ensemble."""

import numpy as np
import pytest

from mallenet_tf.inference.ensemble import self_ensemble
from mallenet_tf.inference.padding import ReflectPadded, crop, pad_to_multiple


@pytest.mark.parametrize("height", [1, 2, 7, 16, 17])
@pytest.mark.parametrize("width", [1, 3, 31, 32, 333])
def test_padding_reaches_the_next_multiple_and_is_undone(height, width):
    image = np.random.default_rng(0).random((height, width, 3), np.float32)
    padded = pad_to_multiple(image, 16)
    assert padded.shape == (-(-height // 16) * 16, -(-width // 16) * 16, 3)
    np.testing.assert_array_equal(crop(padded, height, width), image)


def test_padding_reflects_without_the_border_pixel_to_and_fro():
    row = np.arange(3.0)[None, :, None]
    padded = pad_to_multiple(row, 10)[0, :, 0]
    assert padded.tolist() == [0, 1, 2, 1, 0, 1, 2, 1, 0, 1]


def test_a_single_pixel_is_repeated():
    assert (pad_to_multiple(np.full((1, 1, 3), 0.25), 8) == 0.25).all()


def test_nothing_is_copied_where_nothing_is_missing():
    image = np.zeros((16, 32, 3))
    assert pad_to_multiple(image, 16) is image


@pytest.mark.parametrize("height, width", [(1, 1), (1, 70), (3, 2), (40, 64), (33, 130)])
def test_any_window_of_a_mirrored_image_is_that_of_the_whole(height, width):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    mirrored = ReflectPadded(image, margin=32, multiple=16)
    below, right = -height % 16, -width % 16
    whole = np.pad(image, ((32, 32 + below), (32, 32 + right), (0, 0)), mode="reflect")
    assert mirrored.shape == whole.shape
    for window in (np.s_[:, :], np.s_[0:64, 0:40], np.s_[16:80, 48:], np.s_[60:, 60:]):
        top, bottom, _ = window[0].indices(len(whole))
        rows = slice(top, bottom)
        np.testing.assert_array_equal(mirrored[rows, window[1]], whole[window])
    last = slice(len(whole) - 8, len(whole))
    image[:] = 0  # what lies below it is kept
    np.testing.assert_array_equal(mirrored[last, :], whole[-8:])


def test_padding_errors():
    with pytest.raises(ValueError, match=r"Received: shape=\(0, 4, 3\)"):
        pad_to_multiple(np.zeros((0, 4, 3)), 8)
    with pytest.raises(ValueError, match="Received: multiple=0"):
        pad_to_multiple(np.zeros((4, 4, 3)), 0)


def test_ensemble_of_an_equivariant_function_is_the_function():
    def neighbors(batch):
        wrapped = [np.roll(batch, step, axis) for axis in (1, 2) for step in (-1, 1)]
        return batch**2 + sum(wrapped)

    batch = np.random.default_rng(0).random((2, 6, 9, 3), np.float32)
    np.testing.assert_allclose(self_ensemble(neighbors)(batch), neighbors(batch), atol=1e-6)


def test_ensemble_is_the_mean_over_eight_different_symmetries():
    seen = []

    def remember(batch):
        seen.append(batch.copy())
        return np.full_like(batch, len(seen))

    batch = np.arange(6, dtype=np.float32).reshape(1, 2, 3, 1)
    result = self_ensemble(remember)(batch)
    assert len({(view.shape, view.tobytes()) for view in seen}) == 8
    np.testing.assert_allclose(result, np.full_like(batch, 4.5))


def test_ensemble_makes_any_function_equivariant():
    def skewed(batch):
        return batch * np.linspace(0, 1, batch.shape[2], dtype=np.float32)[:, None] ** 2

    batch = np.random.default_rng(0).random((1, 5, 8, 2), np.float32)
    ensembled = self_ensemble(skewed)
    turned = np.ascontiguousarray(np.rot90(batch, 1, axes=(1, 2)))
    np.testing.assert_allclose(
        ensembled(turned), np.rot90(ensembled(batch), 1, axes=(1, 2)), atol=1e-6
    )
