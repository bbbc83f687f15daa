"""The builders: a fake of each data set, in its official layout, goes through its own."""

import re
import shutil
import urllib.parse

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from mallenet_tf.common.files import fingerprint
from mallenet_tf.data.datasets.builders import BUILDERS
from mallenet_tf.data.datasets.catalog import DATA_SETS
from tests.helpers import fake_data_sets as fakes

IMAGE_SETS = sorted(fakes.FILES)


@pytest.fixture
def shrink(monkeypatch):
    """Makes a builder expect a fake."""

    def apply(name, **sizes):
        monkeypatch.setattr(BUILDERS[name], "data_set", fakes.shrunk(DATA_SETS[name], **sizes))

    return apply


def build(name, manual, data_dir, **settings):
    base, _, config = name.partition("/")
    builder = BUILDERS[base](data_dir=data_dir, config=config or None)
    config = tfds.download.DownloadConfig(manual_dir=manual, try_download_gcs=False, **settings)
    builder.download_and_prepare(download_config=config)
    return builder


def examples(builder, split):
    return list(builder.as_dataset(split=split).as_numpy_iterator())


def decoded(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_every_data_set_has_a_builder():
    assert set(BUILDERS) == set(DATA_SETS)
    assert set(IMAGE_SETS) | {"sidd_validation", "sidd_benchmark", "dnd"} == set(DATA_SETS)


@pytest.mark.parametrize("name", sorted(DATA_SETS))
def test_builders_say_where_the_data_is_from(name, tmp_path):
    builder = BUILDERS[name](data_dir=tmp_path)
    data_set = DATA_SETS[name]
    assert re.fullmatch(r"\d+\.\d+\.\d+", str(builder.version))
    assert builder.info.citation.startswith("@") and builder.info.redistribution_info.license
    instructions = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    assert urllib.parse.urlparse(data_set.page.split()[0]).netloc
    for words in (
        data_set.page,
        *data_set.archives,
        *(split.patterns[0] for split in data_set.splits),
    ):
        assert words in instructions
    assert all(str(split.count) in instructions for split in data_set.splits)


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_images_come_back_as_they_are_in_their_files(name, shrink, tmp_path):
    made = fakes.make(name, tmp_path / "manual")
    shrink(name)
    builder = build(name, tmp_path / "manual", tmp_path / "data")
    assert set(builder.info.splits) == set(made)
    for split, files in made.items():
        found = examples(builder, split)
        assert len(found) == len(files)
        for example, paths in zip(found, files, strict=True):
            keys = ("image",) if len(paths) == 1 else ("noisy", "clean")
            assert paths[0].as_posix().endswith(example["name"].decode())
            for key, path in zip(keys, paths, strict=True):
                np.testing.assert_array_equal(example[key], decoded(path))
        assert len({example["name"] for example in found}) == len(found)
    if "test" in made:
        whole = [path for files in made["test"] for path in files]
        again = BUILDERS[name](data_dir=tmp_path / "data").info.metadata
        assert again["fingerprint"]["test"] == fingerprint(whole)


@pytest.mark.parametrize(
    ("name", "scenes"),
    [
        ("sidd_small", ["001", "002", "003"]),
        ("sidd_medium", ["001", "002", "003"]),
        ("polyu", ["Canon5D2_5_160_3200_chair"] * 3),
        ("renoir", [f"S90_Aligned_Batch_00{i}" for i in (1, 2, 3)]),
        ("nam", ["d800_iso1600"] * 3),
    ],
)
def test_pairs_know_their_scene(name, scenes, shrink, tmp_path):
    fakes.make(name, tmp_path / "manual")
    shrink(name)
    builder = build(name, tmp_path / "manual", tmp_path / "data")
    split = "s90" if name == "renoir" else next(iter(builder.info.splits))
    assert [example["scene"].decode() for example in examples(builder, split)] == scenes


def test_sub_images_cover_their_images(shrink, tmp_path):
    made = fakes.make("sidd_small", tmp_path / "manual")
    shrink("sidd_small")
    builder = build("sidd_small/blocks512", tmp_path / "manual", tmp_path / "data")
    wholes = [[decoded(path) for path in pair] for pair in made["train"]]
    covered = {index: np.zeros(fakes.SIZE, bool) for index in range(len(wholes))}
    for example in examples(builder, "train"):
        index = int(example["scene"]) - 1
        place = np.s_[example["top"] : example["top"] + 8, example["left"] : example["left"] + 8]
        for key, whole in zip(("noisy", "clean"), wholes[index], strict=True):
            np.testing.assert_array_equal(example[key], whole[place])
        covered[index][place] = True
    assert all(mask.all() for mask in covered.values())


@pytest.mark.parametrize("name", ["sidd_validation", "sidd_benchmark"])
def test_sidd_blocks_come_back(name, shrink, monkeypatch, tmp_path):
    pair = ["ValidationNoisyBlocksSrgb", "ValidationGtBlocksSrgb"]
    names = pair if name == "sidd_validation" else ["BenchmarkNoisyBlocksSrgb"]
    arrays = fakes.make_sidd_blocks(tmp_path / "manual" / "SIDD", *names)
    shrink(name, count=1, size=fakes.BLOCKS[2:])
    monkeypatch.setattr(BUILDERS[name], "blocks", 4)
    builder = build(name, tmp_path / "manual", tmp_path / "data")
    (split,) = builder.info.splits
    found = examples(builder, split)
    for key, array in zip(("noisy", "clean"), arrays.values(), strict=False):
        expected = array.reshape(-1, *array.shape[2:])  # the submission's ID counts like this
        np.testing.assert_array_equal([example[key] for example in found], expected)
    assert [example["name"] for example in found] == [b"00_00", b"00_01", b"01_00", b"01_01"]
    assert ("clean" in found[0]) == (name == "sidd_validation")


def test_dnd_crops_come_back(shrink, monkeypatch, tmp_path):
    images, boxes = fakes.make_dnd(tmp_path / "manual" / "dnd_2017")
    shrink("dnd", size=(8, 8))
    monkeypatch.setattr(BUILDERS["dnd"], "crops", 4)
    found = examples(build("dnd", tmp_path / "manual", tmp_path / "data"), "test")
    assert [example["name"] for example in found] == [b"0001", b"0002", b"0003"]
    for example, image, places in zip(found, images, boxes.astype(int), strict=True):
        assert example["noisy"].dtype == np.float32
        for crop, (b0, b1, b2, b3) in zip(example["noisy"], places, strict=True):
            np.testing.assert_array_equal(crop, image[b0 - 1 : b2, b1 - 1 : b3])
        np.testing.assert_array_equal(example["boxes"], places - [1, 1, 0, 0])


def test_archives_are_unpacked(shrink, tmp_path):
    made = fakes.make("div2k_hr", tmp_path / "made")
    (tmp_path / "manual").mkdir()
    for folder in ("DIV2K_train_HR", "DIV2K_valid_HR"):
        base = tmp_path / "manual" / folder
        shutil.make_archive(str(base), "zip", tmp_path / "made", folder)
    shrink("div2k_hr")
    builder = build("div2k_hr", tmp_path / "manual", tmp_path / "data")
    for split, files in made.items():
        for example, (path,) in zip(examples(builder, split), files, strict=True):
            np.testing.assert_array_equal(example["image"], decoded(path))


def test_reading_is_split_over_files(shrink, tmp_path):
    made = fakes.make("wed", tmp_path / "manual", count=10)
    shrink("wed", count=10)
    builder = build("wed", tmp_path / "manual", tmp_path / "data", num_shards=4)
    assert builder.info.splits["train"].num_shards == 4
    assert len(list((tmp_path / "data").rglob("*.array_record-*-of-00004"))) == 4
    names = [example["name"].decode() for example in examples(builder, "train")]
    assert names == [path.name for (path,) in made["train"]]


# Beam's own code warns of much that is not ours to change.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["flickr2k", "sidd_small/blocks512"])
def test_beam_writes_the_same_examples(name, shrink, tmp_path):
    beam = pytest.importorskip("apache_beam", reason="needs the extra [beam]")
    base = name.partition("/")[0]
    fakes.make(base, tmp_path / "manual")
    shrink(base)
    options = beam.options.pipeline_options.PipelineOptions(["--runner=DirectRunner"])
    on_beam = build(name, tmp_path / "manual", tmp_path / "beam", beam_options=options)
    here = build(name, tmp_path / "manual", tmp_path / "here")
    for one, other in zip(examples(on_beam, "train"), examples(here, "train"), strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)
