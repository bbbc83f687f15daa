"""The servers' files, read back by independent readers and compared with the official examples."""

import base64
import csv
import io

import h5py
import numpy as np
import pytest
import scipy.io

from mallenet_tf.common.errors import UserError
from mallenet_tf.evaluation.submission import write_dnd_bundle, write_sidd_csv, write_sidd_mat

IMAGES, BLOCKS = 3, 4


@pytest.fixture
def blocks():
    random = np.random.default_rng(0)
    return list(random.integers(0, 256, (IMAGES * BLOCKS, 6, 5, 3), dtype=np.uint8))


def test_sidd_mat_holds_the_fields_of_the_official_script(blocks, tmp_path):
    path = tmp_path / "SubmitSrgb.mat"
    about = {"MethodName": "small", "Authors": "Jane Doe", "Venue": "here"}
    write_sidd_mat(path, iter(blocks), (IMAGES, BLOCKS), lambda: 0.125, about)
    assert scipy.io.whosmat(path) == [
        ("DenoisedBlocksSrgb", (IMAGES, BLOCKS), "cell"),
        ("TimeMPSrgb", (1, 1), "double"),
        ("OptionalData", (1, 1), "struct"),
    ]
    stored = scipy.io.loadmat(path)
    cells = stored["DenoisedBlocksSrgb"]
    for image, block in np.ndindex(IMAGES, BLOCKS):
        assert cells[image, block].dtype == np.uint8
        np.testing.assert_array_equal(cells[image, block], blocks[image * BLOCKS + block])
    assert stored["TimeMPSrgb"].item() == 0.125
    optional = stored["OptionalData"]
    assert {name: optional[name].item().item() for name in optional.dtype.names} == about
    assert list(tmp_path.iterdir()) == [path]


def test_sidd_csv_is_the_one_that_the_kaggle_script_makes(blocks, tmp_path):
    path = tmp_path / "SubmitSrgb.csv"
    write_sidd_csv(path, iter(blocks))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["ID", "BLOCK"]
    assert [int(row["ID"]) for row in rows] == list(range(IMAGES * BLOCKS))
    for row, block in zip(rows, blocks, strict=True):
        decoded = np.frombuffer(base64.b64decode(row["BLOCK"], validate=True), np.uint8)
        np.testing.assert_array_equal(decoded.reshape(6, 5, 3), block)
    # The script's pandas.DataFrame({"ID": ..., "BLOCK": ...}).to_csv(index=False), byte for byte.
    lines = ["ID,BLOCK"]
    lines += [f"{i},{base64.b64encode(b.tobytes()).decode()}" for i, b in enumerate(blocks)]
    assert path.read_bytes() == ("\n".join(lines) + "\n").encode()


def test_views_of_blocks_are_written_row_by_row(blocks, tmp_path):
    turned = [block.transpose(1, 0, 2) for block in blocks]
    write_sidd_csv(tmp_path / "a.csv", turned)
    write_sidd_csv(tmp_path / "b.csv", [block.copy("C") for block in turned])
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def crops(images=2, count=20):
    random = np.random.default_rng(1)
    return [list(random.random((count, 7, 5, 3), np.float32)) for _ in range(images)]


def test_dnd_bundle_equals_what_the_official_script_writes(tmp_path):
    images = crops()
    write_dnd_bundle(tmp_path / "bundled", iter(images))
    files = sorted((tmp_path / "bundled").iterdir())
    assert [file.name for file in files] == ["0001.mat", "0002.mat"]
    for file, image in zip(files, images, strict=True):
        stored = scipy.io.loadmat(file)
        assert scipy.io.whosmat(file) == [
            ("Idenoised", (1, 20), "cell"),
            ("israw", (1, 1), "logical"),
            ("eval_version", (1,), "char"),
        ]
        for crop, original in zip(stored["Idenoised"][0], image, strict=True):
            assert crop.dtype == np.float32
            np.testing.assert_array_equal(crop, original)
        assert not stored["israw"].item() and stored["eval_version"].item() == "1.0"
        # `bundle_submissions_srgb` of the archive: an object array of 20 and two scalars, saved by
        # SciPy. The first 128 bytes are a header with the date.
        expected = np.zeros((20,), dtype=object)
        for index, original in enumerate(image):
            expected[index] = original
        official = io.BytesIO()
        fields = {"Idenoised": expected, "israw": False, "eval_version": "1.0"}
        scipy.io.savemat(official, fields)
        assert file.read_bytes()[128:] == official.getvalue()[128:]
        assert not h5py.is_hdf5(file)
    assert list(tmp_path.iterdir()) == [tmp_path / "bundled"]


def interrupted(items):
    yield items[0]
    raise KeyboardInterrupt


def test_an_interruption_leaves_nothing(blocks, tmp_path):
    writers = [
        lambda: write_sidd_mat(tmp_path / "a.mat", interrupted(blocks), (3, 4), lambda: 0.0, {}),
        lambda: write_sidd_csv(tmp_path / "a.csv", interrupted(blocks)),
        lambda: write_dnd_bundle(tmp_path / "bundled", interrupted(crops())),
    ]
    for write in writers:
        with pytest.raises(KeyboardInterrupt):
            write()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("there", "The output is a file, and this is a folder. Received: .*there"),
        ("file/S.out", "The output cannot be written: .*Received: .*file/S.out"),
    ],
)
def test_a_wrong_output_is_said_before_the_first_block(tmp_path, place, message):
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    asked = []
    blocks = (asked.append(number) for number in range(12))
    for write in (
        lambda: write_sidd_mat(tmp_path / place, blocks, (IMAGES, BLOCKS), lambda: 0.0, {}),
        lambda: write_sidd_csv(tmp_path / place, blocks),
    ):
        with pytest.raises(UserError, match=message) as caught:
            write()
        assert "\n" not in str(caught.value)
    assert asked == []
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "there"]


def test_what_servers_would_refuse_is_refused(blocks, tmp_path):
    floats = [block / 255 for block in blocks]
    with pytest.raises(ValueError, match=r"uint8 .* Received: float64 \[6, 5, 3\]"):
        write_sidd_csv(tmp_path / "a.csv", floats)
    for wrong in (blocks[:-1], [*blocks, blocks[0]]):
        with pytest.raises(ValueError, match=f"Received: {len(wrong)} blocks, shape="):
            write_sidd_mat(tmp_path / "a.mat", wrong, (IMAGES, BLOCKS), lambda: 0.0, {})
    for wrong in (np.full((4, 4, 3), 1.5), np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), -0.1)):
        with pytest.raises(ValueError, match=r"float .* in \[0, 1\]"):
            write_dnd_bundle(tmp_path / "bundled", [[wrong]])
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="new one. Received: .*there"):
        write_dnd_bundle(tmp_path / "there", crops())
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
