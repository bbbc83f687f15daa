"""Decoding images as training and evaluation take them: uint8, RGB or gray."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.image_io import decode_image, load_images
from mallenet_tf.image_io.image_reader import image_size

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (9, 14, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp"])
def test_lossless_formats_give_the_pixels_back(tmp_path, suffix):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(COLOR).save(path, **({"lossless": True} if suffix == "webp" else {}))
    decoded = decode_image(path)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, COLOR)
    assert image_size(path) == (9, 14)


def test_jpeg_is_what_pillow_decodes(tmp_path):
    path = tmp_path / "image.JPG"
    Image.fromarray(COLOR).save(path, "JPEG", quality=95)
    np.testing.assert_array_equal(decode_image(path), np.asarray(Image.open(path)))


def test_color_to_gray_is_the_luma_of_itu_601(tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(COLOR).save(path)
    gray = decode_image(path, channels=1)
    assert gray.shape == (9, 14, 1)
    luma = COLOR @ np.array([0.299, 0.587, 0.114])
    assert np.abs(gray[..., 0] - luma).max() <= 0.51
    np.testing.assert_array_equal(gray[..., 0], np.asarray(Image.open(path).convert("L")))


def test_gray_to_color_repeats_and_alpha_is_dropped(tmp_path):
    gray, alpha = COLOR[..., 0], RNG.integers(0, 256, (9, 14, 1), dtype=np.uint8)
    Image.fromarray(gray).save(tmp_path / "gray.png")
    Image.fromarray(np.concatenate([COLOR, alpha], -1)).save(tmp_path / "rgba.png")
    Image.fromarray(np.concatenate([gray[..., None], alpha], -1)).save(tmp_path / "la.png")
    repeated = np.repeat(gray[..., None], 3, axis=-1)
    np.testing.assert_array_equal(decode_image(tmp_path / "gray.png"), repeated)
    np.testing.assert_array_equal(decode_image(tmp_path / "la.png"), repeated)
    np.testing.assert_array_equal(decode_image(tmp_path / "la.png", 1), gray[..., None])
    np.testing.assert_array_equal(decode_image(tmp_path / "rgba.png"), COLOR)


def test_palette_and_black_and_white_are_resolved(tmp_path):
    palette = Image.fromarray(COLOR).quantize(16)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(
        decode_image(tmp_path / "palette.png"), np.asarray(palette.convert("RGB"))
    )
    bits = COLOR[..., 0] > 127
    Image.fromarray(bits).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(decode_image(tmp_path / "bits.png", 1)[..., 0], bits * 255)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bit_gray_is_scaled_not_clipped(tmp_path, suffix):
    values = np.array([[0, 128, 129, 257, 32768, 65406, 65407, 65535]], np.uint16)
    path = tmp_path / f"deep.{suffix}"
    Image.fromarray(values).save(path)
    expected = np.rint(values / 257.0).astype(np.uint8)
    np.testing.assert_array_equal(decode_image(path, 1)[..., 0], expected)
    np.testing.assert_array_equal(decode_image(path, 3)[..., 2], expected)


def test_load_images_yields_names_and_pixels(tmp_path):
    for name in ("img10.png", "img2.PNG"):
        Image.fromarray(COLOR).save(tmp_path / name)
    loaded = list(load_images([tmp_path / "img10.png", tmp_path / "img2.PNG"], channels=1))
    assert [name for name, _ in loaded] == ["img2.PNG", "img10.png"]
    assert all(image.shape == (9, 14, 1) and image.dtype == np.uint8 for _, image in loaded)


def test_equal_file_names_are_told_apart_by_their_folders(tmp_path):
    for name in ("one/same.png", "two/same.png", "two/other.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(COLOR).save(tmp_path / name)
    assert [name for name, _ in load_images(tmp_path)] == [
        "one/same.png",
        "two/other.png",
        "two/same.png",
    ]


def test_load_images_complains_before_the_first_image(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_images(tmp_path)


def test_reading_images_does_not_load_tensorflow(repository):
    code = (
        "import sys; from mallenet_tf.image_io import load_images, read_picture, write_picture;"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=repository).returncode == 0
