"""Pairs of noisy and clean images: found by their names, cropped and turned together."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mallenet_tf.data import GaussianNoise, ImageFolder, PairFolder, training_dataset
from mallenet_tf.image_io import list_pairs, load_pairs

SHIFT = 40  # the clean image is the noisy one plus this


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five pairs of different sizes; every pixel of an image differs from its neighbors."""
    root = tmp_path_factory.mktemp("pairs")
    random = np.random.default_rng(0)
    for index in range(5):
        size = random.integers(20, 40, 2)
        noisy = random.integers(0, 256 - SHIFT, (*size, 3), dtype=np.uint8)
        Image.fromarray(noisy).save(root / f"scene_{index}_noisy.png")
        Image.fromarray(noisy + np.uint8(SHIFT)).save(root / f"scene_{index}_clean.png")
    return root


def batches(sources, noise=None, count=4, **options):
    settings = {"batch_size": 6, "patch_size": 16, "seed": 3, **options}
    return list(training_dataset(sources, noise, **settings).take(count).as_numpy_iterator())


def test_a_folder_may_hold_both_kinds(folder):
    pairs = list_pairs(folder)
    assert [noisy.name for noisy, _ in pairs] == [f"scene_{i}_noisy.png" for i in range(5)]
    assert [clean.name for _, clean in pairs] == [f"scene_{i}_clean.png" for i in range(5)]


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path)
    return path


def test_the_last_occurrence_in_the_name_is_renamed_whatever_the_folder(tmp_path):
    folder = tmp_path / "noisy"
    noisy = touch(folder / "noisy_a_noisy_1.png")
    clean = touch(folder / "noisy_a_clean_1.png")
    touch(folder / "other.png")
    assert list_pairs(folder / "*_noisy_*") == [(noisy, clean)]


def test_a_slash_renames_the_folder(tmp_path, monkeypatch):
    noisy, clean = touch(tmp_path / "set/NOISY/1.png"), touch(tmp_path / "set/GT/1.png")
    assert list_pairs(tmp_path, ("/NOISY/", "/GT/")) == [(noisy, clean)]
    monkeypatch.chdir(tmp_path)
    ((_, found),) = list_pairs("set/NOISY", ("/NOISY/", "/GT/"))
    assert found.samefile(clean)


def test_mistakes_are_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no clean image .*scene_0_blank\.png.*Received"):
        list_pairs(folder, ("noisy", "blank"))
    with pytest.raises(FileNotFoundError, match="has 'real' in its name"):
        list_pairs(folder, ("real", "mean"))
    for rename in (("noisy", "noisy"), ("", "clean"), ("noisy",), "noisy"):
        with pytest.raises(ValueError, match="two different strings. Received: rename="):
            list_pairs(folder, rename)
    Image.new("RGB", (30, 20)).save(tmp_path / "a_noisy.png")
    Image.new("RGB", (20, 30)).save(tmp_path / "a_clean.png")
    with pytest.raises(ValueError, match=r"one size.*\(20, 30, 3\).*\(30, 20, 3\)"):
        next(load_pairs(tmp_path))
    with pytest.raises(ValueError, match="1 of 1 pairs cannot be used.*20x30.*30x20"):
        PairFolder(tmp_path).load(3)


def test_pairs_are_loaded_with_their_names(folder):
    loaded = list(load_pairs(folder))
    assert [name for name, _, _ in loaded] == [f"scene_{i}_noisy.png" for i in range(5)]
    for _, noisy, clean in loaded:
        np.testing.assert_array_equal(clean, noisy + SHIFT)
    assert next(load_pairs(folder, channels=1))[1].shape[2] == 1


def test_both_images_are_cropped_and_turned_alike(folder):
    """Values are unlike their neighbors: any other place or turn would break the constant."""
    for noisy, clean in batches([PairFolder(folder)], patch_size=32):
        assert noisy.dtype == clean.dtype == np.float32
        assert noisy.shape == clean.shape == (6, 32, 32, 3)
        np.testing.assert_allclose(clean - noisy, SHIFT / 255, atol=1e-6)


def test_crops_are_turned_all_eight_ways_and_come_from_all_images(folder):
    """Every crop is found, by its pixels, at one place and turn of one image."""
    turns, images = set(), set()
    stored = [noisy for _, noisy, _ in load_pairs(folder)]
    for noisy, _ in batches([PairFolder(folder)], patch_size=20, count=12):
        for patch in np.rint(noisy * 255).astype(np.uint8):
            ways = [np.rot90(p, k) for p in (patch, patch.transpose(1, 0, 2)) for k in range(4)]
            matches = [
                (image, way)
                for image, pixels in enumerate(stored)
                for way, turned in enumerate(ways)
                if occurs(turned, pixels)
            ]
            assert len(matches) == 1
            images.add(matches[0][0])
            turns.add(matches[0][1])
    assert images == set(range(5)) and turns == set(range(8))


def occurs(patch, image):
    corners = np.argwhere((image == patch[0, 0]).all(-1))
    size = len(patch)
    return any(np.array_equal(image[y : y + size, x : x + size], patch) for y, x in corners)


def test_sample_n_is_a_pure_function_of_seed_and_n(folder):
    sources = [PairFolder(folder)]
    whole = batches(sources, count=6)
    for start in (1, 5):
        resumed = batches(sources, count=6 - start, start_step=start)
        for one, other in zip(whole[start:], resumed, strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])
    shards = [batches(sources, count=6, shard_count=2, shard_index=index) for index in (0, 1)]
    for batch, left, right in zip(whole, *shards, strict=True):
        np.testing.assert_array_equal(batch[0], np.concatenate([left[0], right[0]]))
    assert not np.array_equal(whole[0][0], batches(sources, count=1, seed=4)[0][0])


def test_pairs_and_clean_images_with_noise_can_be_mixed(folder):
    sources = [
        PairFolder(folder, weight=2.0),
        ImageFolder(folder / "scene_*_clean.png", weight=1.0),
    ]
    found = batches(sources, GaussianNoise(10.0), count=4)
    differences = np.concatenate([clean - noisy for noisy, clean in found])
    paired = np.isclose(differences, SHIFT / 255, atol=1e-6).all((1, 2, 3))
    assert paired.sum() * 3 == len(paired) * 2
    np.testing.assert_allclose(differences[~paired].std((1, 2, 3)) * 255, 10.0, rtol=0.2)


def test_noise_must_fit_the_sources(folder):
    with pytest.raises(ValueError, match="need a noise model.*Received: noise=None"):
        training_dataset([ImageFolder(folder)], None, batch_size=1, patch_size=8)
    noise = GaussianNoise(conditioned=True)
    with pytest.raises(ValueError, match="is not known.*Received: noise=GaussianNoise"):
        training_dataset([PairFolder(folder)], noise, batch_size=1, patch_size=8)


def test_gray_pairs(folder):
    data = training_dataset([PairFolder(folder)], None, batch_size=2, patch_size=8, channels=1)
    assert data.element_spec == (tf.TensorSpec((2, 8, 8, 1)), tf.TensorSpec((2, 8, 8, 1)))


def test_describe_counts_pairs(folder):
    assert PairFolder(folder).describe().startswith("5 pairs, 0.0 megapixels")
