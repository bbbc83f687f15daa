"""TIFF files: thumbnails are left out, and what cannot be denoised is refused by name."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import read_picture
from mallenet_tf.image_io.image_reader import list_pages
from mallenet_tf.image_io.image_writer import write_pages
from tests.helpers.sample_pictures import ARTIST, samples


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("tiny", [np.uint8, np.uint16])
def test_the_thumbnail_of_a_tiff_is_left_out(tmp_path, kind, first, tiny):
    photograph = (samples(kind=kind), {"extratags": [(ARTIST, "s", 0, "Ann", True)]})
    thumbnail = (samples(kind=tiny, size=(3, 4)), {"subfiletype": 1, "iccprofile": b"its own"})
    pages = [thumbnail, photograph] if first else [photograph, thumbnail]
    with tifffile.TiffWriter(tmp_path / "a.tif", byteorder=">" if first else "<") as tiff:
        for page, options in pages:
            tiff.write(page, photometric="rgb", metadata=None, **options)
    found = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.samples, photograph[0])
    assert found.warnings == ["smaller copies of the picture in the file are not kept"]
    assert found.metadata.icc is None
    exif = Image.Exif()
    exif.load(found.metadata.exif)
    assert exif[ARTIST] == "Ann"


def test_what_cannot_be_denoised_is_refused_by_name(tmp_path):
    frame = Image.fromarray(samples())
    frame.save(tmp_path / "frames.tif", save_all=True, append_images=[frame])
    tifffile.imwrite(tmp_path / "deep frames.tif", np.zeros((2, 9, 9), np.uint16))
    tifffile.imwrite(tmp_path / "int.tif", np.zeros((9, 9), np.int32))
    cmyk = np.zeros((9, 9, 4), np.uint16)
    tifffile.imwrite(tmp_path / "print.tif", cmyk, photometric="separated")
    frame.convert("LAB").save(tmp_path / "lab.tif")
    for name, message in {
        "frames.tif": "2 frames",
        "deep frames.tif": "2 frames",
        "int.tif": "values of 32 bits",
        "print.tif": "SEPARATED colors of 16 bits",
        "lab.tif": "color mode LAB",
    }.items():
        with pytest.raises(UserError, match=f"{message}.*Received: .*{name}"):
            read_picture(tmp_path / name)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_pages_come_back_one_by_one(tmp_path, kind):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for number in range(3):
            page = samples(kind=kind, size=(8 + number, 9))
            tags = [(ARTIST, "s", 0, f"Ann {number}", True), (33550, "d", 3, (1.5, 2.5, 0), True)]
            tiff.write(page, photometric="rgb", metadata=None, extratags=tags)
            tiff.write(page[::2], photometric="rgb", metadata=None, subfiletype=1)
    assert list_pages(tmp_path / "a.tif") == [0, 2, 4]
    with pytest.raises(UserError, match="3 frames"):
        read_picture(tmp_path / "a.tif")
    pages = [read_picture(tmp_path / "a.tif", page=number) for number in (0, 2, 4)]
    assert all("smaller copies" in page.warnings[0] for page in pages)
    write_pages(tmp_path / "b.tif", pages)
    assert list_pages(tmp_path / "b.tif") == [0, 1, 2]
    for number, page in enumerate(pages):
        again = read_picture(tmp_path / "b.tif", page=number)
        np.testing.assert_array_equal(again.samples, samples(kind=kind, size=(8 + number, 9)))
        assert again.metadata == page.metadata
        assert (33550, 12, 3, (1.5, 2.5, 0.0)) in again.metadata.tiff
        exif = Image.Exif()
        exif.load(again.metadata.exif)
        assert exif[ARTIST] == f"Ann {number}"


@pytest.mark.parametrize("count", [1, 2, 150])
@pytest.mark.parametrize("back_to", [0, -1])
@pytest.mark.parametrize("big", [False, True])
def test_pages_in_a_circle_are_refused(tmp_path, count, back_to, big):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=big) as tiff:
        for number in range(count):
            tiff.write(np.full((9, 8), number, np.uint8), metadata=None)
    assert list_pages(path) == list(range(count))
    with tifffile.TiffFile(path) as tiff:
        place, to = tiff.pages.next_page_offset, tiff.pages[back_to].offset
    with path.open("r+b") as file:
        file.seek(place)
        file.write(to.to_bytes(8 if big else 4, "little"))
    for read in (list_pages, read_picture):
        with pytest.raises(UserError, match="form a circle. Received"):
            read(path)
