"""The batches that JAX makes on the device: crops of photographs, rotated, flipped and noisy."""

import numpy as np
import pytest

from mallenet_tf.data import GaussianNoise, ImageFolder
from mallenet_tf.data.augment import apply_symmetry
from tests.training.conftest import SIZES


@pytest.fixture(scope="module")
def bank(photographs):
    return ImageFolder(str(photographs)).load(3, 1)


@pytest.fixture(scope="module")
def make_batch(bank):
    """The function of a step to its batch of 48 patches of 16 x 16, noisy and clean."""
    import jax

    from mallenet_tf.training.jax.patches import batch_maker, on_device

    make_batch = jax.jit(batch_maker(GaussianNoise((10.0, 50.0), conditioned=True), 48, 16, seed=3))
    photographs = on_device(bank)
    return lambda step: [np.asarray(part) for part in make_batch(photographs, step)]


def test_patches_are_pieces_of_the_photographs(bank, make_batch):
    places = set()
    for patch in np.rint(make_batch(5)[1] * 255).astype(np.uint8):
        found = [
            (number, symmetry)
            for number in range(len(SIZES))
            for symmetry in range(8)
            if occurs(bank.image(number), patch, symmetry)
        ]
        assert found
        places.update(found)
    assert {number for number, _ in places} == set(range(len(SIZES)))
    assert {symmetry for _, symmetry in places} == set(range(8))


def occurs(image: np.ndarray, patch: np.ndarray, symmetry: int) -> bool:
    """Returns whether a square of an image, rotated or flipped, is the patch."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (len(patch), len(patch)), (0, 1))
    turned = [int(bit) for bit in f"{symmetry:03b}"]  # undone in the reverse order
    if turned[0]:
        patch = patch[:, ::-1]
    if turned[1]:
        patch = patch[::-1]
    if turned[2]:
        patch = patch.transpose(1, 0, 2)
    return bool((windows == patch.transpose(2, 0, 1)).all((2, 3, 4)).any())


def test_symmetries_are_those_of_the_pipeline():
    from mallenet_tf.training.jax.patches import symmetric_grid

    image = np.random.default_rng(4).random((5, 5, 3), np.float32)
    rows, columns = symmetric_grid(np.arange(8), 5)
    for index in range(8):
        expected = apply_symmetry(image, index).numpy()
        np.testing.assert_array_equal(image[rows[index], columns[index]], expected)


def test_noise_is_drawn_anew_for_each_patch_and_step(make_batch):
    noisy, clean = make_batch(0)
    sigma = noisy[..., 3]
    assert np.all(sigma == sigma[:, :1, :1])
    levels = sigma[:, 0, 0] * 255
    assert 10 <= levels.min() < 16 and 44 < levels.max() <= 50
    measured = (noisy[..., :3] - clean).std(axis=(1, 2, 3)) * 255
    np.testing.assert_allclose(measured, levels, rtol=0.15)  # of 768 values, 2.5 % at one sigma
    np.testing.assert_array_equal(make_batch(0)[0], noisy)
    assert np.abs(make_batch(1)[0] - noisy).max() > 0.1
