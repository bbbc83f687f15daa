"""Files that cannot be read are named, with the reason."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import UnreadableImageError, decode_image, read_picture, write_picture
from mallenet_tf.image_io.image_reader import image_size
from mallenet_tf.image_io.picture import Picture
from tests.helpers.sample_pictures import samples


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif", ".exr"])
def test_truncated_files_are_named(tmp_path, suffix, kind):
    path = tmp_path / f"a{suffix}"
    picture = Picture(samples(kind=kind, size=(90, 80)))
    try:
        write_picture(path, picture)
    except UserError:
        pytest.skip("not a format for this type")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=f"Not a readable image.*Received: .*a{suffix}"):
        read_picture(path)


def test_files_that_are_no_images_are_named(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "tiff.tif").write_bytes(b"II*\0rubbish")
    for name, message in {
        "empty.png": "the file is empty",
        "text.png": "its format is not known",
        "tiff.tif": "Not a readable image",
    }.items():
        with pytest.raises(UserError, match=f"{message}.*Received: .*{name}"):
            read_picture(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_picture(tmp_path / "missing.png")


def test_decompression_bombs_are_refused_before_they_are_decoded(tmp_path):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    for depth in (8, 16):
        header = struct.pack(">IIBBBBB", 30000, 30000, depth, 2, 0, 0, 0)
        start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
        bomb = start + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")
        (tmp_path / "bomb.png").write_bytes(bomb)
        with pytest.raises(UserError, match="30000 x 30000 pixels.*decompression bomb"):
            read_picture(tmp_path / "bomb.png")


@pytest.mark.parametrize("name", ["a.png", "deep.png", "deep.tif", "a.exr"])
def test_images_larger_than_the_memory_are_refused(tmp_path, name):
    kind = np.float32 if "exr" in name else np.uint16 if "deep" in name else np.uint8
    write_picture(tmp_path / name, Picture(samples(kind=kind, size=(300, 400))))
    assert read_picture(tmp_path / name, max_bytes=10_000_000).samples.shape == (300, 400, 3)
    with pytest.raises(UserError, match="400 x 300 pixels, which take .* raise --max_memory"):
        read_picture(tmp_path / name, max_bytes=300_000)


def test_empty_truncated_and_foreign_files_are_named(tmp_path):
    noise = Image.fromarray(samples(size=(64, 64)))
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


def test_floating_point_pixels_are_refused(tmp_path):
    path = tmp_path / "float.tiff"
    Image.fromarray(np.ones((4, 4), np.float32)).save(path)
    with pytest.raises(UnreadableImageError, match=r"no agreed range.*Received: .*float\.tiff"):
        decode_image(path)
