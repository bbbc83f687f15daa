"""8-bit image files round-trip, and what would be lost is refused by name."""

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.errors import UserError
from mallenet_tf.inference import read_image, write_image

LOSSLESS = [".png", ".bmp", ".webp", ".tif", ".tiff", ".PNG"]


def picture(channels=3, size=(13, 17)):
    return np.random.default_rng(0).integers(0, 256, (*size, channels), dtype=np.uint8)


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_colour_round_trip(tmp_path, suffix):
    path = tmp_path / f"größe 1{suffix}"
    write_image(path, picture())
    np.testing.assert_array_equal(read_image(path), picture())
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_gray_round_trip(tmp_path, suffix):
    path = tmp_path / f"gray{suffix}"
    write_image(path, picture(1))
    np.testing.assert_array_equal(read_image(path), picture(1))
    write_image(path, picture(1)[..., 0])
    np.testing.assert_array_equal(read_image(path), picture(1))


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_close(tmp_path, channels):
    smooth = np.linspace(0, 255, 40 * 50 * channels).reshape(40, 50, channels).astype(np.uint8)
    write_image(tmp_path / "a.jpg", smooth)
    read = read_image(tmp_path / "a.jpg")
    assert read.shape == smooth.shape
    assert np.abs(read.astype(int) - smooth).mean() < 1.5


def test_a_single_pixel(tmp_path):
    write_image(tmp_path / "dot.png", picture(size=(1, 1)))
    np.testing.assert_array_equal(read_image(tmp_path / "dot.png"), picture(size=(1, 1)))


def test_orientation_is_applied(tmp_path):
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    Image.fromarray(picture()).save(path, exif=exif)
    np.testing.assert_array_equal(read_image(path), np.rot90(picture(), -1))


def test_palettes_and_bilevel_images_are_resolved(tmp_path):
    palette = Image.fromarray(picture()).quantize(8)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png"), palette.convert("RGB"))
    bilevel = Image.fromarray(picture(1)[..., 0] > 128)
    bilevel.save(tmp_path / "bilevel.png")
    np.testing.assert_array_equal(
        read_image(tmp_path / "bilevel.png")[..., 0], np.where(np.asarray(bilevel), 255, 0)
    )


def save_deep_colour_png(path):
    """A PNG of 16-bit RGB, which Pillow reads but cannot write."""
    import struct
    import zlib

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + bytes(range(12)))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def test_what_would_be_lost_is_refused(tmp_path):
    deep = np.zeros((4, 5), np.uint16)
    transparent = Image.fromarray(picture(4))
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(deep).save(tmp_path / "deep.tif")
    Image.fromarray(deep.astype(np.float32)).save(tmp_path / "float.tif")
    save_deep_colour_png(tmp_path / "deep_colour.png")
    transparent.save(tmp_path / "alpha.png")
    transparent.save(tmp_path / "alpha.webp", lossless=True)
    Image.fromarray(picture(4)[..., :2], "LA").save(tmp_path / "gray_alpha.png")
    Image.fromarray(picture()).save(tmp_path / "key.png", transparency=(1, 2, 3))
    Image.fromarray(picture(4), "CMYK").save(tmp_path / "print.jpg")
    frame = Image.fromarray(picture())
    frame.save(tmp_path / "frames.tif", save_all=True, append_images=[frame])
    expected = {
        "deep.png": "more than 8 bits",
        "deep.tif": "more than 8 bits",
        "float.tif": "more than 8 bits",
        "deep_colour.png": "more than 8 bits",
        "alpha.png": "alpha channel",
        "alpha.webp": "alpha channel",
        "gray_alpha.png": "alpha channel",
        "key.png": "alpha channel",
        "print.jpg": "colour mode CMYK",
        "frames.tif": "2 frames",
    }
    for name, message in expected.items():
        with pytest.raises(UserError, match=f"{message}.*Received: .*{name}"):
            read_image(tmp_path / name)


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("hello")
    write_image(tmp_path / "whole.png", picture(size=(100, 100)))
    data = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    for name, message in {
        "empty.png": "the file is empty",
        "text.png": "its format is not known",
        "cut.png": "Not an image that can be read",
    }.items():
        with pytest.raises(UserError, match=f"{message}.*Received: .*{name}"):
            read_image(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "missing.png")


def test_writing_errors_leave_no_file(tmp_path):
    with pytest.raises(UserError, match=r"suffix must be one of \.png .*Received: .*a.gif"):
        write_image(tmp_path / "a.gif", picture())
    with pytest.raises(UserError, match="at most 16383 pixels.*Received: 16384 x 1"):
        write_image(tmp_path / "a.webp", picture(1, (1, 16384)))
    with pytest.raises(ValueError, match="Received: dtype=float64"):
        write_image(tmp_path / "a.png", np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match=r"shape=\(4, 4, 4\)"):
        write_image(tmp_path / "a.png", np.zeros((4, 4, 4), np.uint8))
    assert list(tmp_path.iterdir()) == []
