"""Listing and decoding image files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.image_io import UnreadableImageError, decode_image, list_images, load_images
from mallenet_tf.image_io.file_search import natural_order
from mallenet_tf.image_io.image_reader import image_size

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (9, 14, 3), dtype=np.uint8)


def names(paths):
    return [path.name for path in paths]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    image = Image.fromarray(COLOUR)
    for name in ("img10.png", "img2.PNG", "deep/b.bmp", "deep/er/a.tiff", ".hidden.png"):
        image.save(tmp_path / name)
    (tmp_path / "notes.md").write_text("not an image")
    return tmp_path


def test_folder_is_searched_recursively_in_natural_order(folder):
    assert names(list_images(folder)) == ["b.bmp", "a.tiff", "img2.PNG", "img10.png"]


def test_glob_file_and_list_are_found_and_not_repeated(folder):
    assert names(list_images(str(folder / "*.png"))) == ["img10.png"]
    assert names(list_images(str(folder / "**" / "*.tiff"))) == ["a.tiff"]
    assert names(list_images([folder / "img10.png", str(folder / "img*")])) == [
        "img2.PNG",
        "img10.png",
    ]


def test_glob_that_matches_folders_searches_them(folder):
    assert names(list_images(str(folder / "de*"))) == ["b.bmp", "a.tiff"]


def test_text_file_lists_images_relative_to_itself(folder):
    listing = folder / "deep" / "train.txt"
    listing.write_text("b.bmp\n\n../img10.png\n")
    assert names(list_images(listing)) == ["b.bmp", "img10.png"]
    listing.write_text("absent.png\n")
    with pytest.raises(FileNotFoundError, match=r"train\.txt names .*Received: .*absent\.png"):
        list_images(listing)


def test_name_with_glob_characters_is_taken_literally(tmp_path):
    path = tmp_path / "holiday [1].png"
    Image.fromarray(COLOUR).save(path)
    assert list_images(path) == [path]


@pytest.mark.parametrize("pattern", ["nothing.png", "*.jpg", "deep/missing"])
def test_pattern_without_a_match_is_named(folder, pattern):
    with pytest.raises(FileNotFoundError, match="No such file or folder. Received: ") as error:
        list_images([folder / "img10.png", folder / pattern])
    assert str(folder / pattern) in str(error.value)


def test_folder_without_images_and_empty_list_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No image files \(.*\) in this folder\. "):
        list_images(tmp_path)
    with pytest.raises(ValueError, match=r"Received: patterns=\[\]"):
        list_images([])


def test_natural_order_is_by_the_value_of_numbers():
    given = [Path(name) for name in ("a10", "a9", "b1", "a", "10", "9")]
    assert names(natural_order(given)) == [
        *("9", "10"),
        *("a", "a9", "a10", "b1"),
    ]


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp"])
def test_lossless_formats_give_the_pixels_back(tmp_path, suffix):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(COLOUR).save(path, **({"lossless": True} if suffix == "webp" else {}))
    decoded = decode_image(path)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, COLOUR)
    assert image_size(path) == (9, 14)


def test_jpeg_is_what_pillow_decodes(tmp_path):
    path = tmp_path / "image.JPG"
    Image.fromarray(COLOUR).save(path, "JPEG", quality=95)
    np.testing.assert_array_equal(decode_image(path), np.asarray(Image.open(path)))


def test_colour_to_gray_is_the_luma_of_itu_601(tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(COLOUR).save(path)
    gray = decode_image(path, channels=1)
    assert gray.shape == (9, 14, 1)
    luma = COLOUR @ np.array([0.299, 0.587, 0.114])
    assert np.abs(gray[..., 0] - luma).max() <= 0.51
    np.testing.assert_array_equal(gray[..., 0], np.asarray(Image.open(path).convert("L")))


def test_gray_to_colour_repeats_and_alpha_is_dropped(tmp_path):
    gray, alpha = COLOUR[..., 0], RNG.integers(0, 256, (9, 14, 1), dtype=np.uint8)
    Image.fromarray(gray).save(tmp_path / "gray.png")
    Image.fromarray(np.concatenate([COLOUR, alpha], -1)).save(tmp_path / "rgba.png")
    Image.fromarray(np.concatenate([gray[..., None], alpha], -1)).save(tmp_path / "la.png")
    repeated = np.repeat(gray[..., None], 3, axis=-1)
    np.testing.assert_array_equal(decode_image(tmp_path / "gray.png"), repeated)
    np.testing.assert_array_equal(decode_image(tmp_path / "la.png"), repeated)
    np.testing.assert_array_equal(decode_image(tmp_path / "la.png", 1), gray[..., None])
    np.testing.assert_array_equal(decode_image(tmp_path / "rgba.png"), COLOUR)


def test_palette_and_black_and_white_are_resolved(tmp_path):
    palette = Image.fromarray(COLOUR).quantize(16)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(
        decode_image(tmp_path / "palette.png"), np.asarray(palette.convert("RGB"))
    )
    bits = COLOUR[..., 0] > 127
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


def test_floating_point_pixels_are_refused(tmp_path):
    path = tmp_path / "float.tiff"
    Image.fromarray(np.ones((4, 4), np.float32)).save(path)
    with pytest.raises(UnreadableImageError, match=r"no agreed range.*Received: .*float\.tiff"):
        decode_image(path)


def test_empty_truncated_and_foreign_files_are_named(tmp_path):
    noise = Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    for suffix in ("png", "jpg", "bmp", "webp"):
        whole = tmp_path / f"whole.{suffix}"
        noise.save(whole)
        broken = tmp_path / f"broken.{suffix}"
        broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        with pytest.raises(UnreadableImageError, match=rf"Received: .*broken\.{suffix}"):
            decode_image(broken)
    (tmp_path / "empty.png").touch()
    with pytest.raises(UnreadableImageError, match=r"the file is empty.*empty\.png"):
        decode_image(tmp_path / "empty.png")
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(UnreadableImageError, match=r"text\.jpg"):
        image_size(tmp_path / "text.jpg")


def test_missing_file_and_wrong_channels():
    with pytest.raises(FileNotFoundError):
        decode_image("no/such.png")
    with pytest.raises(ValueError, match="Received: channels=4"):
        decode_image("no/such.png", 4)


def test_load_images_yields_names_and_pixels(folder):
    loaded = list(load_images([folder / "img10.png", folder / "img2.PNG"], channels=1))
    assert [name for name, _ in loaded] == ["img2.PNG", "img10.png"]
    assert all(image.shape == (9, 14, 1) and image.dtype == np.uint8 for _, image in loaded)


def test_equal_file_names_are_told_apart_by_their_folders(tmp_path):
    for name in ("one/same.png", "two/same.png", "two/other.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(COLOUR).save(tmp_path / name)
    assert [name for name, _ in load_images(tmp_path)] == [
        "one/same.png",
        "two/other.png",
        "two/same.png",
    ]


def test_load_images_complains_before_the_first_image(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_images(tmp_path)


def test_reading_images_does_not_load_tensorflow(repository):
    import subprocess
    import sys

    code = (
        "import sys; from mallenet_tf.image_io import load_images, read_picture, write_picture;"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=repository).returncode == 0
