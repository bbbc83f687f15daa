"""The training data set: sample n is a pure function of (seed, n)."""

import logging

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mallenet_tf.data import GaussianNoise, ImageFolder, describe, training_dataset

NOISE = GaussianNoise((0.0, 75.0), conditioned=True)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two folders: images of the first hold values below 100, of the second from 100 on."""
    root = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 100)):
        (root / name).mkdir()
        for index in range(7):
            size = random.integers(10, 40, 2)
            pixels = random.integers(low, low + 100, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def mixture(folders):
    return [ImageFolder(folders / "dark", weight=3.0), ImageFolder(folders / "light", weight=1.0)]


def elements(sources, count, noise=NOISE, **options):
    settings = {"batch_size": 12, "patch_size": 12, "seed": 4, **options}
    return list(training_dataset(sources, noise, **settings).take(count).as_numpy_iterator())


def assert_equal(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("conditioned", [False, True])
def test_shapes_and_ranges(folders, channels, conditioned):
    noise = GaussianNoise(25.0, conditioned=conditioned)
    dataset = training_dataset(
        [ImageFolder(folders)], noise, batch_size=4, patch_size=24, channels=channels
    )
    inputs, clean = dataset.element_spec
    assert inputs == tf.TensorSpec((4, 24, 24, channels + conditioned), tf.float32)
    assert clean == tf.TensorSpec((4, 24, 24, channels), tf.float32)
    (_, values), *_ = dataset.take(1).as_numpy_iterator()
    assert 0 <= values.min() and values.max() <= 1
    np.testing.assert_allclose(values * 255, np.rint(values * 255), atol=1e-4)


def test_noise_is_what_inputs_have_more_than_clean_images(mixture):
    inputs, clean = elements(mixture, 1, batch_size=64)[0]
    np.testing.assert_allclose(
        (inputs[..., :3] - clean).std((1, 2, 3)), inputs[:, 0, 0, 3], rtol=0.2, atol=1e-4
    )


def test_same_seed_same_samples_other_seed_other_samples(mixture):
    first = elements(mixture, 3)
    assert_equal(first, elements(mixture, 3))
    other = elements(mixture, 3, seed=5)
    assert not np.array_equal(first[0][1], other[0][1])
    assert not np.array_equal(first[0][0][..., 3], other[0][0][..., 3])


def test_samples_of_a_batch_differ(folders):
    inputs, clean = elements([ImageFolder(folders / "dark")], 1)[0]
    noise = (inputs[..., :3] - clean) / np.maximum(inputs[..., 3:], 1e-6)
    for index in range(1, 12):
        assert not np.array_equal(clean[0], clean[index])
        assert not np.allclose(noise[0], noise[index], atol=0.1)


def test_starting_at_a_step_equals_skipping_to_it(mixture):
    whole = elements(mixture, 8)
    assert_equal(elements(mixture, 3, start_step=5), whole[5:])


def test_far_away_step_starts_at_once(mixture):
    assert len(elements(mixture, 1, start_step=10**12)) == 1


@pytest.mark.parametrize(("shards", "splits"), [(3, 1), (1, 4), (2, 3)])
def test_workers_and_replicas_together_make_the_batches_of_one(mixture, shards, splits):
    single = elements(mixture, 3, start_step=2)
    parts = [
        elements(
            mixture,
            3 * splits,
            start_step=2,
            shard_index=index,
            shard_count=shards,
            splits=splits,
        )
        for index in range(shards)
    ]
    joined = [
        tuple(
            np.concatenate(
                [part[step * splits + split][item] for part in parts for split in range(splits)]
            )
            for item in (0, 1)
        )
        for step in range(3)
    ]
    assert_equal(joined, single)


def test_shares_follow_the_weights(mixture):
    clean = np.concatenate([batch[1] for batch in elements(mixture, 10)])
    light = clean.min((1, 2, 3)) >= 99.5 / 255
    dark = clean.max((1, 2, 3)) < 99.5 / 255
    assert (light ^ dark).all()
    assert light.sum() == 120 / 4


def test_each_image_once_per_epoch_also_in_a_mixture(tmp_path):
    for folder, values in (("one", range(10, 15)), ("two", range(200, 203))):
        (tmp_path / folder).mkdir()
        for value in values:
            pixels = np.full((4, 4, 3), value, np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{value}.png")
    sources = [ImageFolder(tmp_path / "one", weight=2.0), ImageFolder(tmp_path / "two")]
    batches = elements(sources, 5, patch_size=4)
    used = np.rint(np.concatenate([clean[:, 0, 0, 0] for _, clean in batches]) * 255).astype(int)
    one, two = used[used < 100], used[used > 100]
    assert len(one) == 40 and len(two) == 20
    assert (np.sort(one.reshape(8, 5)) == np.arange(10, 15)).all()
    assert (np.sort(two[:18].reshape(6, 3)) == np.arange(200, 203)).all()


def test_all_symmetries_occur(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "only.png")
    clean = elements([ImageFolder(tmp_path)], 10, patch_size=5)
    found = {np.rint(image * 255).astype(np.uint8).tobytes() for _, b in clean for image in b}
    group = [np.rot90(pixels, k) for k in range(4)]
    assert found == {g.tobytes() for turn in group for g in (turn, turn[:, ::-1])}


@pytest.mark.parametrize("size", [(1, 1), (7, 3)])
def test_tiny_images_do_not_crash_a_run(tmp_path, size):
    Image.fromarray(np.full((*size, 3), 77, np.uint8)).save(tmp_path / "tiny.png")
    ((_, clean),) = elements([ImageFolder(tmp_path)], 1, patch_size=33)
    np.testing.assert_array_equal(np.rint(clean * 255), 77)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 9, "shard_count": 2}, "divide evenly.*Received: batch_size=9"),
        ({"patch_size": 0}, "Received: patch_size=0"),
        ({"channels": 2}, "Received: channels=2"),
    ],
)
def test_impossible_settings_are_refused(mixture, options, message):
    with pytest.raises(ValueError, match=message):
        elements(mixture, 1, **options)


def test_no_sources_are_refused():
    with pytest.raises(ValueError, match=r"Received: sources=\[\]"):
        elements([], 1)


def test_description_names_shares_and_sizes_and_is_logged(folders, mixture, caplog):
    line = describe(mixture)
    assert "75.0% 7 images" in line and "25.0% 7 images" in line
    assert str(folders / "light") in line
    with caplog.at_level(logging.INFO):
        elements(mixture, 1)
    assert line in caplog.text


def test_photographs(shared_images):
    source = ImageFolder(shared_images / "kodak24")
    inputs, clean = elements([source], 1, GaussianNoise(25.0), batch_size=48, patch_size=64)[0]
    assert (inputs - clean).std() * 255 == pytest.approx(25.0, rel=0.01)
    assert 0.2 < clean.mean() < 0.7
