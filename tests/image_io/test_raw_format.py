"""Camera raw files are developed with the camera's white balance and nothing else."""

import struct
import sys

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.common import srgb
from mallenet_tf.data import ImageFolder
from mallenet_tf.image_io import UnreadableImageError, decode_image, list_images, read_picture
from mallenet_tf.image_io.exif import apply_orientation
from mallenet_tf.image_io.image_reader import image_size
from mallenet_tf.image_io.raw_exif import read_raw_exif
from tests.helpers.raw_files import COLORS, NEUTRAL, mosaic, patches, stripes, write_dng
from tests.helpers.sample_pictures import CAMERA, MAKE, PLACE, XMP, exif

EXPOSURE, SPEED, MAKER_NOTE, ARTIST = 0x829A, 0x8827, 0x927C, 0x013B


@pytest.fixture
def dng(tmp_path):
    write_dng(tmp_path / "photo ü.DNG", mosaic(stripes()))
    return tmp_path / "photo ü.DNG"


def test_colors_are_the_scenes_in_srgb_and_in_linear_light(dng):
    picture = read_picture(dng)
    assert picture.samples.dtype == np.uint16 and picture.samples.shape == (96, 128, 3)
    np.testing.assert_allclose(
        patches(picture.samples) / 65535, srgb.to_srgb(np.array(COLORS), np), atol=1e-3
    )
    light = read_picture(dng, linear_raw=True)
    assert light.samples.dtype == np.float32 and light.linear
    np.testing.assert_allclose(patches(light.samples), COLORS, atol=1e-4)
    for developed in (picture, light):
        developed.pixels[...] = 0  # A denoiser writes to them.


def test_noise_leaves_colors_and_brightness_as_they_are(tmp_path):
    write_dng(tmp_path / "noisy.dng", mosaic(stripes(), noise=0.01))
    light = read_picture(tmp_path / "noisy.dng", linear_raw=True).samples
    np.testing.assert_allclose(patches(light)[:3], COLORS[:3], atol=2.5e-3)
    # White balance doubles red's noise, demosaicing averages some of it.
    deviation = np.array([part.std((0, 1)) for part in patches(light, mean=False)])
    assert ((deviation > 0.006) & (deviation < 0.02)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_is_upright(tmp_path, orientation):
    write_dng(tmp_path / "a.dng", mosaic(stripes()))
    write_dng(tmp_path / "turned.dng", mosaic(stripes()), orientation)
    turned = read_picture(tmp_path / "turned.dng").samples
    expected = apply_orientation(read_picture(tmp_path / "a.dng").samples, orientation)
    np.testing.assert_array_equal(turned, expected)
    assert image_size(tmp_path / "turned.dng") == turned.shape[:2]


def test_training_reads_it_too(dng):
    assert list_images(dng.parent) == [dng]
    eight_bits = np.rint(read_picture(dng).samples / 257)
    np.testing.assert_array_equal(decode_image(dng), eight_bits)
    np.testing.assert_array_equal(ImageFolder(dng.parent).load(3).image(0), eight_bits)


def test_exif_is_kept_and_what_is_not_is_named(tmp_path, dng):
    picture = read_picture(dng)
    kept = Image.Exif()
    kept.load(picture.metadata.exif)
    assert kept[MAKE] == "Maker" and kept[ARTIST] == "me"
    camera = kept.get_ifd(CAMERA)
    assert camera[EXPOSURE] == 0.01 and camera[SPEED] == 6400 and MAKER_NOTE not in camera
    assert kept.get_ifd(PLACE)[1] == "N"
    assert picture.warnings == ["the camera's maker note of a raw file is not kept"]
    write_dng(tmp_path / "b.dng", mosaic(stripes()), tags={XMP: b"<x/>"})
    assert "XMP of a raw file is not kept" in read_picture(tmp_path / "b.dng").warnings


def test_a_file_without_white_balance_is_named(tmp_path):
    write_dng(tmp_path / "a.dng", mosaic(stripes()), neutral=None)
    assert "no white balance" in read_picture(tmp_path / "a.dng").warnings[0]


def test_a_monochrome_camera_gives_a_gray_picture(tmp_path):
    gray = np.full((96, 128, 3), 0.25) / NEUTRAL
    linear_raw = {262: 34892}  # Values of light, not of a color filter array.
    write_dng(tmp_path / "a.dng", mosaic(gray), neutral=None, tags=linear_raw)
    picture = read_picture(tmp_path / "a.dng")
    assert picture.samples.shape == (96, 128, 1) and not picture.metadata.icc
    np.testing.assert_allclose(
        picture.samples / 65535, srgb.to_srgb(np.float64(0.25), np), atol=1e-3
    )
    assert not any("white balance" in text for text in picture.warnings)


def boxes():
    """The first bytes of a CR3 file: EXIF's directories, each a TIFF file in a box."""
    base, camera, place = Image.Exif(), Image.Exif(), Image.Exif()
    base[MAKE], camera[EXPOSURE], place[1] = "Maker", 0.01, "N"
    parts = {b"ftyp": b"crx ", b"CMT1": base, b"CMT2": camera, b"CMT3": b"notes", b"CMT4": place}
    contents = {
        name: part if isinstance(part, bytes) else part.tobytes()[6:]
        for name, part in parts.items()
    }
    return b"".join(
        struct.pack(">I", len(part) + 8) + name + part for name, part in contents.items()
    )


def raf():
    """A RAF file: a header with the place of a JPEG file."""
    jpeg = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif().tobytes()) + 2) + exif().tobytes()
    jpeg += Image.new("L", (8, 8))._repr_jpeg_()[2:]
    return b"FUJIFILMCCD-RAW ".ljust(84, b"\0") + struct.pack(">II", 92, len(jpeg)) + jpeg


@pytest.mark.parametrize("content", [boxes(), raf(), b"MMOR" + exif().tobytes()[10:]])
def test_every_kind_of_container_gives_its_exif(tmp_path, content):
    (tmp_path / "photo").write_bytes(content)
    found, warnings = read_raw_exif(tmp_path / "photo")
    kept = Image.Exif()
    kept.load(found)
    assert not warnings and kept[MAKE] == "Maker"
    assert kept.get_ifd(CAMERA)[EXPOSURE] == 0.01 and kept.get_ifd(PLACE)[1] == "N"


@pytest.mark.parametrize("content", [b"", b"unknown" * 20, b"II*\0\xff\xff\0\0", boxes()[:60]])
def test_exif_that_cannot_be_read_is_a_warning(tmp_path, content):
    (tmp_path / "photo").write_bytes(content)
    found, (warning,) = read_raw_exif(tmp_path / "photo")
    assert found is None and "EXIF cannot be read and is not kept" in warning


@pytest.mark.parametrize(
    ("kept", "reason"),
    [(0, "the file is empty"), (100, "Input/output error"), (5000, "Input/output error")],
)
def test_damaged_files_are_named(dng, kept, reason):
    dng.write_bytes(dng.read_bytes()[:kept])
    with pytest.raises(UnreadableImageError, match=f"{reason}.*Received: .*photo ü.DNG"):
        read_picture(dng)


def test_what_is_no_raw_file_and_what_does_not_exist_is_named(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.nef", "JPEG")
    with pytest.raises(UnreadableImageError, match="not RAW file"):
        read_picture(tmp_path / "a.nef")
    with pytest.raises(FileNotFoundError):
        read_picture(tmp_path / "absent.nef")


def test_memory_and_pixels_are_limited(dng):
    needed = 24 * 96 * 128
    assert read_picture(dng, needed).samples.size
    with pytest.raises(UnreadableImageError, match="raise --max_memory"):
        read_picture(dng, needed - 1)
    with pytest.raises(UnreadableImageError, match="bomb.*allow --max_pixels=12288"):
        read_picture(dng, max_pixels=96 * 128 - 1)


@pytest.mark.parametrize("read", [read_picture, decode_image, image_size])
def test_without_rawpy_a_line_names_the_file_and_what_installs_it(dng, monkeypatch, read):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(UnreadableImageError) as error:
        read(dng)
    text = str(error.value)
    assert "needs rawpy" in text and "pip install 'mallenet-tf[raw]'" in text
    assert text.endswith(f"Received: {str(dng)!r}") and "\n" not in text


def test_without_rawpy_training_refuses_the_folder(dng, monkeypatch):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(UnreadableImageError, match="1 of 1 images cannot be used.*needs rawpy"):
        ImageFolder(dng.parent).load(3)
