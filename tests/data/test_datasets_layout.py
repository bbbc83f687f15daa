"""What is said when files are missing, too many, or not what they should be."""

import dataclasses
import itertools

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.data.datasets import examples, matlab
from mallenet_tf.data.datasets.catalog import DATA_SETS, by_name
from mallenet_tf.data.datasets.layout import find
from tests.helpers import fake_data_sets as fakes

# As the official pages and the literature count them.
COUNTS = {
    "bsds500": 500,
    "bsd400": 400,
    "wed": 4744,
    "div2k_hr": 900,
    "flickr2k": 2650,
    "cbsd68": 68,
    "kodak24": 24,
    "mcmaster": 18,
    "urban100": 100,
    "sidd_small": 160,
    "sidd_medium": 320,
    "sidd_validation": 1,
    "sidd_benchmark": 1,
    "dnd": 50,
    "polyu": 100,
    "renoir": 120,
    "nam": 15,
}


def message(data_set, *folders, variant=None):
    with pytest.raises(UserError) as error:
        find(data_set, folders, variant)
    return str(error.value)


def test_counts_are_the_official_ones():
    assert {name: sum(split.count for split in s.splits) for name, s in DATA_SETS.items()} == COUNTS


@pytest.mark.parametrize("name", sorted(fakes.FILES))
def test_real_counts_are_enforced(name, tmp_path):
    fakes.make(name, tmp_path)
    data_set = DATA_SETS[name]
    said = message(data_set, tmp_path)
    for split in data_set.splits:
        assert f"{split.name}: found {fakes.COUNT} of {split.count} " in said
    assert data_set.page in said and str(tmp_path) in said
    assert "\n" not in said


def test_missing_files_are_named(tmp_path):
    made = fakes.make("wed", tmp_path, count=5)
    data_set = fakes.shrunk(DATA_SETS["wed"], count=5)
    assert len(find(data_set, [tmp_path])["train"]) == 5
    for index in (1, 3):
        made["train"][index][0].unlink()
    said = message(data_set, tmp_path)
    assert "found 3 of 5 files" in said and "missing 00002.bmp, 00004.bmp." in said


def test_many_missing_files_are_counted(tmp_path):
    fakes.make("flickr2k", tmp_path)
    said = message(DATA_SETS["flickr2k"], tmp_path)
    assert "000004.png" in said and "and 2639 more" in said and "000012.png" not in said


def test_two_copies_are_told(tmp_path):
    fakes.make("wed", tmp_path / "one")
    fakes.make("wed", tmp_path / "two")
    said = message(fakes.shrunk(DATA_SETS["wed"]), tmp_path)
    assert "found 6 of 3" in said
    assert all(str(tmp_path / copy) in said for copy in ("one", "two"))


def test_other_sizes_are_told(tmp_path):
    made = fakes.make("cbsd68", tmp_path)
    data_set = fakes.shrunk(DATA_SETS["cbsd68"])
    Image.new("RGB", (25, 20)).save(made["test"][1][0])
    assert "1 of 3 are not 24x20: 10102.png is 25x20" in message(data_set, tmp_path)


def test_the_other_variant_is_recognised(tmp_path):
    made = fakes.make("kodak24", tmp_path)
    kodak = dataclasses.replace(
        fakes.shrunk(DATA_SETS["kodak24"]), variants=DATA_SETS["kodak24"].variants
    )
    full, crops = kodak.variants
    for (path,) in made["test"]:
        Image.new("RGB", (500, 500)).save(path)
    assert len(find(kodak, [tmp_path], crops)["test"]) == fakes.COUNT
    assert "kodak24/full: 3 of 3 are not 768x512 or 512x768" in message(
        kodak, tmp_path, variant=full
    )
    assert "; crops has 500x500" in message(kodak, tmp_path, variant=full)


def test_pairs_of_two_sizes_are_refused(tmp_path):
    made = fakes.make("sidd_small", tmp_path)
    Image.new("RGB", (25, 20)).save(made["train"][0][1])
    said = message(fakes.shrunk(DATA_SETS["sidd_small"]), tmp_path)
    assert "are not one size per pair" in said and "is 24x20 and 25x20" in said


def test_noisy_images_without_a_clean_one_are_named(tmp_path):
    made = fakes.make("polyu", tmp_path)
    made["train"][1][1].unlink()
    said = message(fakes.shrunk(DATA_SETS["polyu"]), tmp_path)
    assert f"no single clean image beside {made['train'][1][0]} (0 found)" in said


def test_damaged_headers_are_named(tmp_path):
    made = fakes.make("wed", tmp_path)
    made["train"][2][0].write_bytes(b"BM")
    said = message(fakes.shrunk(DATA_SETS["wed"]), tmp_path)
    assert "Not a readable image" in said and "00003.bmp" in said


def test_unknown_names_are_answered_with_the_known():
    with pytest.raises(UserError, match="bsds500, bsd400, wed.*Received: div3k"):
        by_name("div3k")
    with pytest.raises(UserError, match="kodak24/full, kodak24/crops. Received: kodak24/768"):
        by_name("kodak24/768")
    with pytest.raises(UserError, match="There is wed, without variants. Received: wed/x"):
        by_name("wed/x")


@pytest.mark.parametrize(
    "height, width, block, overlap", [(23, 17, 8, 2), (8, 30, 8, 0), (5, 9, 8, 4)]
)
def test_sub_images_cover_and_overlap(height, width, block, overlap):
    found = examples.sub_images(height, width, block, overlap)
    assert len(set(found)) == len(found)
    covered = np.zeros((height, width), int)
    for top, left in found:
        assert top + min(block, height) <= height and left + min(block, width) <= width
        covered[top : top + block, left : left + block] += 1
    assert covered.min() >= 1
    steps = {b - a for a, b in itertools.pairwise(sorted({left for _, left in found}))}
    assert all(step <= block - overlap for step in steps)


def test_sub_images_of_sidd():
    # 14 x 8 of a Galaxy S6's pictures; NAFNet's preparation gives as many.
    assert len(examples.sub_images(3000, 5328, 512, 128)) == 8 * 14


def test_results_come_in_order_and_errors_end_the_work():
    done = []

    def slow(item):
        done.append(item)
        if item == 5:
            raise ValueError("five")
        return item

    results = examples.map_in_threads(slow, itertools.count(), workers=3)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="five"):
        next(results)
    assert max(done) < 5 + 3


def test_sidd_files_that_are_not_sidds(tmp_path):
    fakes.make_sidd_blocks(tmp_path, "BenchmarkNoisyBlocksSrgb")
    path = tmp_path / "BenchmarkNoisyBlocksSrgb.mat"
    path.rename(tmp_path / "ValidationGtBlocksSrgb.mat")
    with pytest.raises(UserError, match="array ValidationGtBlocksSrgb. Received: Benchmark"):
        matlab.sidd_blocks(tmp_path / "ValidationGtBlocksSrgb.mat")
    path.write_bytes(b"MATLAB 5.0 no longer")
    with pytest.raises(UserError, match="Not a readable MATLAB file"):
        matlab.sidd_blocks(path)
    with pytest.raises(FileNotFoundError):
        matlab.sidd_blocks(tmp_path / "none.mat")


def test_sidd_files_with_other_blocks(tmp_path):
    fakes.make_sidd_blocks(tmp_path, "BenchmarkNoisyBlocksSrgb")
    data_set = fakes.shrunk(DATA_SETS["sidd_benchmark"], count=1)
    (files,) = find(data_set, [tmp_path])["test"]
    with pytest.raises(UserError, match=r"1280 blocks of 256x256. Received: \[2, 2, 8, 8, 3\]"):
        examples.sidd_examples((0, files))


def test_dnd_files_that_are_not_dnds(tmp_path):
    fakes.make_dnd(tmp_path)
    data_set = fakes.shrunk(DATA_SETS["dnd"])
    item = find(data_set, [tmp_path])["test"][0]
    with pytest.raises(UserError, match=r"20 boxes of 512x512 for each of 50 images. Received:"):
        examples.dnd_examples((0, item))
    with pytest.raises(UserError, match="must hold info.boundingboxes"):
        matlab.dnd_boxes(item.files[0])
    with pytest.raises(UserError, match="must hold InoisySRGB"):
        matlab.dnd_image(tmp_path / "info.mat")
    item.files[0].write_bytes(b"not HDF5")
    with pytest.raises(UserError, match="Not a readable HDF5"):
        matlab.dnd_image(item.files[0])
    (tmp_path / "info.mat").unlink()
    with pytest.raises(FileNotFoundError):
        examples.dnd_examples((0, item))


def test_dnd_boxes_outside_the_image_are_refused():
    with pytest.raises(ValueError, match="inside the image"):
        matlab.dnd_crops(np.zeros((20, 20, 3)), np.array([[0, 15, 8, 23]]))
