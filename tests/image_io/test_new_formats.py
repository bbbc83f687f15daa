"""HEIC, AVIF and JPEG XL, both ways, and files whose names do not say what they are."""

import shutil
import sys

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.transfer import gamma
from mallenet_tf.image_io import decode_image, read_picture, write_picture
from mallenet_tf.image_io.color import make_profile
from mallenet_tf.image_io.formats import conversion_warnings, result_path
from mallenet_tf.image_io.image_reader import image_size
from mallenet_tf.image_io.picture import Metadata, Picture
from tests.helpers.raw_files import mosaic, stripes, write_dng
from tests.helpers.sample_pictures import ICC, MAKE, exif, metadata

SMOOTH = np.linspace(0, 65535, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint16)
P3 = make_profile(gamma(2.2), (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".heic", ".avif", ".jxl"])
def test_pixels_and_metadata_come_back(tmp_path, suffix, kind):
    stored = SMOOTH if kind == np.uint16 else (SMOOTH >> 8).astype(np.uint8)
    picture = Picture(stored, metadata=metadata())
    write_picture(tmp_path / f"a{suffix}", picture)
    found = read_picture(tmp_path / f"a{suffix}")
    write_picture(tmp_path / "b.png", found)
    values = read_picture(tmp_path / "b.png")
    white = np.iinfo(found.file_type).max
    pixels = values.samples if values.linear else values.samples / white
    shown = pixels if not values.linear else np.where(
        pixels <= 0.0031308, 12.92 * pixels, 1.055 * pixels ** (1 / 2.4) - 0.055
    )  # fmt: skip
    assert np.abs(shown - stored / np.iinfo(kind).max).mean() < 0.01
    assert (found.file_type == np.uint16) == (kind == np.uint16 and suffix != ".avif")
    kept = Image.Exif()
    kept.load(found.metadata.exif)
    assert kept[MAKE] == "Maker" and found.metadata.xmp == metadata().xmp
    if suffix != ".jxl":
        assert found.metadata.icc == ICC
    assert image_size(tmp_path / f"a{suffix}") == (48, 64)


def test_depths_are_said(tmp_path):
    deep = Picture(SMOOTH)
    assert conversion_warnings("a.heic", deep) == ["HEIF holds 10 of the 16 bits"]
    assert conversion_warnings("a.avif", deep) == ["AVIF holds 8 of the 16 bits"]
    assert conversion_warnings("a.jxl", deep) == []
    write_picture(tmp_path / "a.heic", deep)
    assert conversion_warnings("b.heic", read_picture(tmp_path / "a.heic")) == []
    ten = imagecodecs.avif_encode(SMOOTH >> 6, level=100, bitspersample=10)
    (tmp_path / "a.avif").write_bytes(ten)
    found = read_picture(tmp_path / "a.avif")
    assert found.samples.dtype == np.uint16 and found.bits == 10
    assert np.abs(found.samples / 65535 - SMOOTH / 65535).mean() < 0.01


@pytest.mark.parametrize("suffix", [".jxl", ".bmp"])
def test_colors_of_other_profiles_become_srgb(tmp_path, suffix):
    green = np.full((8, 8, 3), (0, 180, 0), np.uint8)
    picture = Picture(green, metadata=Metadata(icc=P3))
    assert "colors become sRGB" in conversion_warnings(f"a{suffix}", picture)[0]
    write_picture(tmp_path / f"a{suffix}", picture)
    found = read_picture(tmp_path / f"a{suffix}").samples[4, 4]
    assert found[1] > 180 and found[0] == 0  # sRGB's green is less saturated.


def test_contents_say_what_names_do_not(tmp_path):
    Image.fromarray((SMOOTH >> 8).astype(np.uint8)).save(tmp_path / "a.jpg")
    for name in ("photo", "photo.jfif", "photo.JPE", "photo.mpo", "photo.tmp"):
        shutil.copy(tmp_path / "a.jpg", tmp_path / name)
        assert decode_image(tmp_path / name).shape == (48, 64, 3)
    results = {
        "photo": "photo.jpg", "photo.jfif": "photo.jfif", "photo.JPE": "photo.JPE",
        "photo.mpo": "photo.mpo.jpg",
    }  # fmt: skip
    for name, result in results.items():
        assert result_path(tmp_path / "out" / name, tmp_path / name).name == result


@pytest.mark.parametrize("name", ["photo.tif", "photo", "photo.dng"])
def test_raw_is_known_by_its_content(tmp_path, name):
    write_dng(tmp_path / name, mosaic(stripes()))
    assert read_picture(tmp_path / name).samples.shape == (96, 128, 3)
    assert image_size(tmp_path / name) == (96, 128)


@pytest.mark.parametrize(("suffix", "module"), [(".heic", "pillow_heif"), (".jxl", "pillow_jxl")])
def test_without_the_library_a_line_says_what_installs_it(tmp_path, monkeypatch, suffix, module):
    write_picture(tmp_path / f"a{suffix}", Picture((SMOOTH >> 8).astype(np.uint8)))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=r"pip install 'mallenet-tf\[formats\]'"):
        read_picture(tmp_path / f"a{suffix}")


def test_exif_of_a_phone_is_upright(tmp_path):
    write_picture(tmp_path / "a.jxl", Picture(
        (SMOOTH >> 8).astype(np.uint8), metadata=Metadata(exif=exif(6).tobytes())
    ))  # fmt: skip
    found = read_picture(tmp_path / "a.jxl")
    assert found.samples.shape == (48, 64, 3)  # JPEG XL turns by its own header alone.
    kept = Image.Exif()
    kept.load(found.metadata.exif)
    assert kept[0x0112] == 1
