"""Photographs in memory, their crops, and the symmetries of the square."""

import logging

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mallenet_tf.data import ImageFolder
from mallenet_tf.data.augment import apply_symmetry, random_symmetry
from mallenet_tf.data.random_numbers import sample_seed
from mallenet_tf.data.sources.image_bank import crop_function
from mallenet_tf.image_io import UnreadableImageError

SIZES = [(30, 50), (50, 30), (41, 41), (33, 64), (29, 31)]


def save_map(path, number, height, width):
    """An image whose pixel at (y, x) is (number, y, x), so that a crop tells its origin."""
    y, x = np.mgrid[:height, :width]
    Image.fromarray(np.stack([np.full_like(y, number), y, x], -1).astype(np.uint8)).save(path)


@pytest.fixture
def maps(tmp_path):
    for number, (height, width) in enumerate(SIZES):
        save_map(tmp_path / f"{number}.png", number, height, width)
    return tmp_path


def origins(folder, patch, numbers, seed=0):
    """(image, top, left) of crops, checked to be whole pieces of their images."""
    bank = ImageFolder(folder).load(3, patch)
    crops = tf.data.Dataset.from_tensor_slices(list(numbers)).map(crop_function(bank, patch, seed))
    found = []
    for pixels in crops.as_numpy_iterator():
        image, top, left = (int(v) for v in pixels[0, 0])
        expected = bank.image(image)[top : top + patch, left : left + patch]
        np.testing.assert_array_equal(pixels, expected)
        found.append((image, top, left))
    return found


def test_bank_holds_every_image(maps):
    bank = ImageFolder(maps).load(3)
    for number, size in enumerate(SIZES):
        image = bank.image(number)
        assert image.shape == (*size, 3)
        np.testing.assert_array_equal(image, np.asarray(Image.open(maps / f"{number}.png")))


def test_every_image_is_used_once_per_epoch_in_changing_order(maps):
    used = [image for image, _, _ in origins(maps, 20, range(60))]
    epochs = [tuple(used[start : start + 5]) for start in range(0, 60, 5)]
    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len(set(epochs)) > 6


def test_crops_reach_every_place(maps):
    found = origins(maps, 26, range(800))
    places = {(top, left) for image, top, left in found if image == 4}
    assert places == {(top, left) for top in range(29 - 25) for left in range(31 - 25)}


def test_crop_of_the_whole_image(tmp_path):
    save_map(tmp_path / "0.png", 0, 17, 17)
    assert origins(tmp_path, 17, range(3)) == [(0, 0, 0)] * 3


def test_crop_is_the_same_eagerly_and_in_a_dataset(maps):
    crop = crop_function(ImageFolder(maps).load(3), 16, seed=5)
    dataset = tf.data.Dataset.range(40).map(crop, num_parallel_calls=4)
    for number, pixels in enumerate(dataset):
        np.testing.assert_array_equal(pixels, crop(tf.constant(number, tf.int64)))


def test_another_seed_gives_other_crops(maps):
    assert origins(maps, 8, range(20), seed=1) != origins(maps, 8, range(20), seed=2)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (3, 200)])
def test_small_images_are_mirrored_up_to_the_patch(tmp_path, size):
    save_map(tmp_path / "0.png", 9, *size)
    bank = ImageFolder(tmp_path).load(3, min_size=16)
    height, width = (max(side, 16) for side in size)
    assert bank.image(0).shape == (height, width, 3)

    def mirrored(index, side):
        index %= 2 * side
        return min(index, 2 * side - 1 - index)

    pixels = crop_function(bank, 16, 0)(tf.constant(3)).numpy()
    left = int(pixels[0, 0, 2])
    for y in range(16):
        for x in range(16):
            assert tuple(pixels[y, x]) == (9, mirrored(y, size[0]), mirrored(x + left, size[1]))


def test_gray_crops_have_one_channel(maps):
    bank = ImageFolder(maps).load(1)
    assert crop_function(bank, 8, 0)(tf.constant(0)).shape == (8, 8, 1)
    expected = np.asarray(Image.open(maps / "3.png").convert("L"))[..., None]
    np.testing.assert_array_equal(bank.image(3), expected)


@pytest.fixture
def damaged(maps):
    (maps / "empty.png").touch()
    (maps / "text.jpg").write_text("not an image")
    whole = (maps / "0.png").read_bytes()
    (maps / "short.png").write_bytes(whole[: len(whole) // 2])
    return maps


def test_damaged_files_are_refused_by_name(damaged):
    with pytest.raises(UnreadableImageError, match="3 of 8 images cannot") as error:
        ImageFolder(damaged).load(3)
    for name in ("empty.png", "text.jpg", "short.png"):
        assert name in str(error.value)


def test_damaged_files_are_skipped_by_name(damaged, caplog):
    with caplog.at_level(logging.WARNING):
        bank = ImageFolder(damaged, on_error="skip").load(3)
    assert len(bank.layout) == 5
    for name in ("empty.png", "text.jpg", "short.png"):
        assert sum(name in record.getMessage() for record in caplog.records) == 1
    np.testing.assert_array_equal(bank.image(4), np.asarray(Image.open(damaged / "4.png")))


def test_nothing_usable_is_an_error(tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match=r"None of 1 images can be used.*empty\.png"):
        ImageFolder(tmp_path, on_error="skip").load(3)


def test_memory_limit_is_checked_before_decoding(maps):
    pixels = sum(height * width for height, width in SIZES)
    assert ImageFolder(maps, max_memory=3 * pixels).load(3).pixels.size == 3 * pixels
    with pytest.raises(ValueError, match=rf"take {3 * pixels} bytes.*Received: max_memory="):
        ImageFolder(maps, max_memory=3 * pixels - 1).load(3)


def test_unknown_error_policy():
    with pytest.raises(ValueError, match="Received: on_error=ignore"):
        ImageFolder("x", on_error="ignore")
    for patterns in (5, [], ["x", None]):
        with pytest.raises(ValueError, match="Received: patterns="):
            ImageFolder(patterns)


def test_describe_counts_images_and_megapixels(maps):
    assert ImageFolder([maps]).describe() == f"5 images, 0.0 megapixels ({maps})"


def test_symmetries_are_the_elements_of_the_group():
    image = np.random.default_rng(0).random((6, 6, 2)).astype(np.float32)
    turns = [np.rot90(image, k) for k in range(4)]
    group = turns + [turn[:, ::-1] for turn in turns]
    results = [apply_symmetry(image, index).numpy() for index in range(8)]
    matches = [[np.array_equal(result, element) for element in group] for result in results]
    assert sorted(np.argmax(row) for row in matches) == list(range(8))
    assert np.sum(matches) == 8


def test_symmetry_bits_mean_what_they_say():
    image = np.arange(9).reshape(3, 3, 1)
    for index, expected in ((1, image.transpose(1, 0, 2)), (2, image[::-1]), (4, image[:, ::-1])):
        np.testing.assert_array_equal(apply_symmetry(image, index), expected)
    np.testing.assert_array_equal(apply_symmetry(image, 0), image)


def test_random_symmetries_are_equally_likely():
    image = tf.reshape(tf.range(4), [2, 2, 1])
    seeds = tf.data.Dataset.range(1600).map(lambda n: random_symmetry(image, sample_seed(3, n)))
    seen, counts = np.unique([tuple(r.numpy().ravel()) for r in seeds], axis=0, return_counts=True)
    assert len(seen) == 8
    # 200 expected of each, standard deviation 13.
    assert counts.min() > 140 and counts.max() < 260
