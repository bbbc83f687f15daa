"""JPEG, palettes, CMYK and the text of EXIF, as Pillow reads and writes them."""

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.image_io import read_image, read_picture, write_image, write_picture
from tests.helpers.sample_pictures import ARTIST, CAMERA, DESCRIPTION, ORIENTATION, samples

LENS = 0xA434


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_close(tmp_path, channels):
    smooth = np.linspace(0, 255, 40 * 50 * channels).reshape(40, 50, channels).astype(np.uint8)
    write_image(tmp_path / "a.jpg", smooth)
    read = read_image(tmp_path / "a.jpg")
    assert read.shape == smooth.shape
    assert np.abs(read.astype(int) - smooth).mean() < 1.5


def test_palettes_bilevel_images_and_transparent_colors_are_resolved(tmp_path):
    palette = Image.fromarray(samples()).quantize(8)
    palette.save(tmp_path / "palette.png")
    found = read_picture(tmp_path / "palette.png")
    np.testing.assert_array_equal(found.samples, palette.convert("RGB"))
    assert found.warnings == ["palette colors are written as RGB"]
    palette.save(tmp_path / "key.png", transparency=3)
    np.testing.assert_array_equal(
        read_picture(tmp_path / "key.png").samples[..., 3],
        np.where(np.asarray(palette) == 3, 0, 255),
    )
    bilevel = Image.fromarray(samples(1)[..., 0] > 128)
    bilevel.save(tmp_path / "bilevel.png")
    np.testing.assert_array_equal(
        read_image(tmp_path / "bilevel.png")[..., 0], np.where(np.asarray(bilevel), 255, 0)
    )


def test_cmyk_is_converted_and_says_so(tmp_path):
    smooth = np.linspace(0, 255, 40 * 50 * 3).reshape(40, 50, 3).astype(np.uint8)
    Image.fromarray(smooth).convert("CMYK").save(tmp_path / "print.jpg", quality=98)
    found = read_picture(tmp_path / "print.jpg")
    assert found.warnings == ["CMYK was converted to RGB"]
    assert np.abs(found.samples.astype(int) - smooth).mean() < 3


def test_exif_of_a_webp_file_reaches_jpeg(tmp_path):
    exif = Image.Exif()
    exif[ARTIST] = "Ann"
    Image.fromarray(samples()).save(tmp_path / "a.webp", exif=exif)  # without the prefix of JPEG
    write_picture(tmp_path / "b.jpg", read_picture(tmp_path / "a.webp"))
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.getexif()[ARTIST] == "Ann"


@pytest.mark.parametrize("orientation", [None, 6])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_text_keeps_its_bytes_whatever_its_encoding(tmp_path, suffix, encoding, orientation):
    stored = "José".encode(encoding)
    exif = Image.Exif()
    exif[ARTIST], exif[DESCRIPTION], exif.get_ifd(CAMERA)[LENS] = stored, stored, "12345678"
    if orientation:
        exif[ORIENTATION] = orientation
    data = exif.tobytes().replace(b"12345678", stored.ljust(8, b"!"))  # Pillow writes ASCII only
    Image.fromarray(samples()).save(tmp_path / "a.jpg", exif=data)
    write_picture(tmp_path / f"b{suffix}", read_picture(tmp_path / "a.jpg"))
    with Image.open(tmp_path / f"b{suffix}") as image:  # which takes all text for Latin-1
        found = image.getexif()
        assert found[ARTIST] == found[DESCRIPTION] == stored.decode("latin-1")
        assert found.get_ifd(CAMERA)[LENS] == stored.ljust(8, b"!").decode("latin-1")
