"""Pixels and metadata come back from every format that holds them, and others find them too."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from mallenet_tf.image_io import read_image, read_picture, write_image, write_picture
from mallenet_tf.image_io.picture import Picture
from tests.helpers.sample_pictures import (
    CAMERA,
    DESCRIPTION,
    ICC,
    MAKE,
    PLACE,
    metadata,
    samples,
)

KEPT = [
    (suffix, channels, kind)
    for suffix, kinds in {
        ".png": (np.uint8, np.uint16),
        ".TIF": (np.uint8, np.uint16, np.float16, np.float32, np.float64),
        ".exr": (np.float16, np.float32),
        ".webp": (np.uint8,),
        ".bmp": (np.uint8,),
    }.items()
    for kind in kinds
    for channels in {".webp": (3,), ".bmp": (1, 3)}.get(suffix, (1, 2, 3, 4))
]


@pytest.mark.parametrize(("suffix", "channels", "kind"), KEPT)
def test_samples_come_back(tmp_path, suffix, channels, kind):
    path = tmp_path / f"größe 1{suffix}"
    write_picture(path, Picture(samples(channels, kind), premultiplied=suffix == ".exr"))
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.samples, samples(channels, kind))
    assert picture.samples.dtype == kind and picture.warnings == []
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_other_readers_agree(tmp_path, suffix, kind):
    path = tmp_path / f"a{suffix}"
    write_picture(path, Picture(samples(4, kind), metadata=metadata()))
    if suffix == ".tif":
        np.testing.assert_array_equal(tifffile.imread(path), samples(4, kind))
    with Image.open(path) as image:
        assert image.mode == "RGBA"
        wanted = samples(4, kind) // (1 if kind == np.uint8 else 257)
        assert np.abs(np.asarray(image).astype(int) - wanted).max() <= 1  # Pillow narrows


def check_metadata(found, lossless_dpi=False):
    assert found.icc == ICC and found.xmp == metadata().xmp
    data = Image.Exif()
    data.load(found.exif)
    assert (data[MAKE], data[DESCRIPTION]) == ("Maker", "a picture")
    assert dict(data.get_ifd(CAMERA)) == {0x829A: 0.01, 0x9286: b"ASCII\0\0\0hello"}
    assert dict(data.get_ifd(PLACE)) == {1: "N"}


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp"])
def test_metadata_come_back(tmp_path, suffix, kind):
    path = tmp_path / f"a{suffix}"
    picture = Picture(samples(3, kind), metadata=metadata())
    write_picture(path, picture)
    found = read_picture(path).metadata
    check_metadata(found)
    if suffix != ".webp":
        assert found.dpi == pytest.approx((300, 300), abs=0.01)
    with Image.open(path) as image:  # and others find them too
        assert image.getexif()[MAKE] == "Maker"
        assert image.getexif().get_ifd(CAMERA)[0x829A] == pytest.approx(0.01)
        assert image.info["icc_profile"] == ICC


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".jpg", ".webp"])
def test_a_single_pixel(tmp_path, suffix):
    write_image(tmp_path / f"dot{suffix}", samples(size=(1, 1)))
    assert read_image(tmp_path / f"dot{suffix}").shape == (1, 1, 3)


def test_narrowing_to_eight_bits_rounds(tmp_path):
    deep = samples(3, np.uint16)
    write_picture(tmp_path / "a.bmp", Picture(deep))
    np.testing.assert_array_equal(read_image(tmp_path / "a.bmp"), np.rint(deep / 257))
