"""Prepared data sets as training sources: sample n is a pure function of (seed, n)."""

import gin
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.data import (
    GaussianNoise,
    PreparedImages,
    SampleShape,
    prepared_mix,
    training_dataset,
)
from mallenet_tf.data.datasets.builders import BUILDERS
from mallenet_tf.data.datasets.catalog import DATA_SETS
from mallenet_tf.data.numbering import SampleNumbers
from mallenet_tf.data.sources.prepared_images import open_records, prepared_images
from mallenet_tf.evaluation import benchmark, gaussian_benchmark
from mallenet_tf.experiment import gin_configuration
from mallenet_tf.image_io import load_images
from mallenet_tf.models import MalleNet
from tests.helpers import fake_data_sets as fakes

HEIGHT, WIDTH = fakes.SIZE


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Data sets whose pixel at (y, x) is (number, y, x), so that a crop tells its origin."""
    root = tmp_path_factory.mktemp("prepared")
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for name, count in (("wed", 7), ("flickr2k", 3), ("nam", 5), ("cbsd68", 2)):
        made = fakes.make(name, root / name, count)
        for files in made.values():
            for number, paths in enumerate(files):
                for path, shift in zip(paths, (0, 100), strict=False):
                    pixels = np.stack([np.full_like(y, number + shift), y, x], -1)
                    Image.fromarray(pixels.astype(np.uint8)).save(path)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BUILDERS[name], "data_set", fakes.shrunk(DATA_SETS[name], count))
            config = tfds.download.DownloadConfig(
                manual_dir=root / name, try_download_gcs=False, num_shards=2
            )
            BUILDERS[name](data_dir=root / "data").download_and_prepare(download_config=config)
    return root / "data"


def crops(source, count, first=0, selected=None, patch=6, channels=3, seed=3):
    numbers = SampleNumbers(first, selected)
    dataset = source.samples(SampleShape(patch, channels), seed, numbers)
    found = list(dataset.take(count).as_numpy_iterator())
    assert dataset.element_spec.shape == found[0].shape
    return np.stack(found)


def origins(pixels):
    """(image, top, left) of crops, checked to be whole pieces of their images."""
    y, x = np.mgrid[: pixels.shape[1], : pixels.shape[2]]
    corners = pixels[:, 0, 0].astype(int)
    for crop, (_, top, left) in zip(pixels, corners, strict=True):
        np.testing.assert_array_equal(crop[..., 1], top + y)
        np.testing.assert_array_equal(crop[..., 2], left + x)
    return [tuple(corner) for corner in corners[:, :3]]


@pytest.fixture
def wed(prepared):
    return PreparedImages("wed", str(prepared), crops_per_image=2, images_at_once=3)


def test_crops_are_pure_functions_of_their_number(wed):
    whole = crops(wed, 50)
    for first in (1, 6, 43):
        np.testing.assert_array_equal(crops(wed, 50 - first, first), whole[first:])
    some = crops(wed, 9, 4, lambda numbers: numbers % 5 == 2)
    np.testing.assert_array_equal(some, whole[7::5])
    assert (crops(wed, 50, seed=4) != whole).any()


def test_images_alternate_and_are_used_once_per_epoch(wed):
    used = [image for image, _, _ in origins(crops(wed, 3 * 2 * 14))]
    # 3 images at once, 2 crops of each: abcabc defdef ...
    windows = np.reshape(used, (-1, 2, 3))
    np.testing.assert_array_equal(windows[:, 0], windows[:, 1])
    epochs = windows[:, 0].reshape(-1, 7)
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 3


def test_crops_reach_every_place(prepared):
    source = PreparedImages("flickr2k", str(prepared), crops_per_image=30)
    found = origins(crops(source, 500, patch=18))
    places = {(top, left) for _, top, left in found}
    assert places == {(top, left) for top in range(HEIGHT - 17) for left in range(WIDTH - 17)}


def test_unwanted_images_are_not_read(wed, monkeypatch):
    read = []
    inner = wed.records._read
    monkeypatch.setattr(wed.records, "_read", lambda index: read.append(index) or inner(index))
    # The first two of every three images belong to another worker: numbers 3k + 2 are ours.
    numbers = SampleNumbers(0, lambda numbers: numbers % 3 == 2)
    ours = wed.samples(SampleShape(6), 0, numbers)
    options = tf.data.Options()
    options.autotune.enabled = False
    assert len(list(ours.take(4).with_options(options))) == 4
    positions = 2 + 8  # two images used, and no more looked ahead than threads allow
    assert 2 <= len(read) <= positions


def test_pairs_are_cropped_at_one_place(prepared):
    found = crops(PreparedImages("nam", str(prepared), split="test"), 20)
    assert found.shape == (20, 6, 6, 6)
    noisy, clean = found[..., :3], found[..., 3:]
    assert origins(noisy) == [(image - 100, *place) for image, *place in origins(clean)]


def test_gray_is_what_files_give(prepared, tmp_path):
    colour = crops(PreparedImages("wed", str(prepared)), 10)
    gray = crops(PreparedImages("wed", str(prepared)), 10, channels=1)
    for one, other in zip(colour, gray, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.fromarray(one).convert("L")), other[..., 0])


def test_small_images_are_mirrored_up_to_the_patch(prepared):
    found = crops(PreparedImages("wed", str(prepared)), 4, patch=50)
    y = [min(i % 40, 39 - i % 40) for i in range(50)]
    x = [min(i % 48, 47 - i % 48) for i in range(50)]
    for crop in found:
        np.testing.assert_array_equal(crop[..., 1], np.broadcast_to(np.array(y)[:, None], (50, 50)))
        np.testing.assert_array_equal(crop[..., 2], np.broadcast_to(x, (50, 50)))


def test_training_resumes_in_the_middle(prepared):
    sources = prepared_mix({"wed": "train", "flickr2k": "train"}, str(prepared), crops_per_image=2)
    settings = {"batch_size": 4, "patch_size": 8, "seed": 1}
    noise = GaussianNoise(25.0)
    whole = list(training_dataset(sources, noise, **settings).take(9).as_numpy_iterator())
    resumed = training_dataset(sources, noise, start_step=6, **settings)
    for one, other in zip(whole[6:], resumed.take(3).as_numpy_iterator(), strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def test_a_mix_leaves_out_what_is_not_prepared(prepared, caplog):
    wanted = {"bsd400": "train", "wed": "train", "flickr2k": "train"}
    with caplog.at_level("INFO"):
        sources = prepared_mix(wanted, str(prepared), images_at_once=5)
    assert [(s.name, s.weight, s.images_at_once) for s in sources] == [
        ("wed", 7.0, 5),
        ("flickr2k", 3.0, 5),
    ]
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "wed 70.0%, flickr2k 30.0% of 10 images" in said
    assert "python -m mallenet_tf.data.prepare bsd400 --manual_dir" in said
    assert sources[0].describe() == "7 images of wed, train"


def test_an_empty_mix_says_how_to_prepare_it(prepared):
    with pytest.raises(UserError, match="mallenet_tf.data.prepare bsd400 .*--data_dir="):
        prepared_mix({"bsd400": "train"}, str(prepared))
    with pytest.raises(UserError, match="The mix is empty"):
        prepared_mix({}, str(prepared))


def test_splits_can_be_parts(prepared):
    assert len(PreparedImages("wed", str(prepared), "train[:3]").records) == 3
    assert len(PreparedImages("wed", str(prepared), "train[:3]+train[5:]").records) == 5
    with pytest.raises(ValueError, match="has the splits train. Received: split=test"):
        len(PreparedImages("wed", str(prepared), "test").records)


def test_images_are_those_of_the_files(prepared):
    files = load_images(prepared.parent / "cbsd68")
    found = prepared_images(open_records("cbsd68", str(prepared), "test"))
    for (name, pixels), (other, values) in zip(files, found, strict=True):
        assert name == other
        np.testing.assert_array_equal(pixels, values)
    with pytest.raises(ValueError, match="pairs"):
        next(prepared_images(open_records("nam", str(prepared), "test")))


def test_an_evaluation_is_that_of_the_files(prepared, monkeypatch, capsys):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(prepared))
    model = MalleNet(width=4, blocks=0)
    monkeypatch.setattr(benchmark, "load_model", lambda _: model)
    monkeypatch.setattr(benchmark, "weights_path", lambda _: prepared.parent / "wed" / "weights")
    (prepared.parent / "wed" / "weights").write_bytes(b"none")
    patterns = [str(prepared.parent / "cbsd68" / "testsets" / "CBSD68"), "tfds:cbsd68"]
    sets = gaussian_benchmark.name_datasets(patterns)
    assert list(sets) == ["CBSD68", "cbsd68"]
    rows = gaussian_benchmark.run("any", sets, [25.0])
    ours = [{k: v for k, v in row.items() if k not in ("dataset", "seconds")} for row in rows]
    assert ours[: len(ours) // 2] == ours[len(ours) // 2 :]
    assert ours[0]["data_hash"] and len(ours) == 2 * 3


def test_settings_out_of_range():
    with pytest.raises(ValueError, match="Received: crops_per_image=0"):
        PreparedImages("wed", crops_per_image=0)


def test_the_papers_mix_is_a_gin_include(prepared, repository, tmp_path):
    recipe = tmp_path / "own.gin"
    recipe.write_text(f'include "data/paper_mix.gin"\nPREPARED = "{prepared}"\n')
    gin.clear_config()
    try:
        gin_configuration.parse(["networks/mallenet_s.gin", "noise/sigma25.gin", str(recipe)], [])
        assert gin.get_bindings("prepared_mix")["crops_per_image"] == 8
        sources = gin.get_bindings("run_experiment")["sources"]  # calls what is bound
    finally:
        gin.clear_config()
    assert [source.name for source in sources] == ["wed", "flickr2k"]
