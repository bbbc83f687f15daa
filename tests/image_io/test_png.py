"""PNG files of 16 bits a value, and where their metadata is."""

import struct
import zlib

import numpy as np
import pytest

from mallenet_tf.image_io import read_picture, write_picture
from mallenet_tf.image_io.image_reader import image_size
from mallenet_tf.image_io.picture import Picture
from mallenet_tf.image_io.png import has_trailing_metadata
from tests.helpers.sample_pictures import exif, metadata, samples


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_metadata_behind_the_pixels_are_found(tmp_path, kind):
    path = tmp_path / "a.png"
    stored = samples(kind=kind)
    write_picture(path, Picture(stored))
    assert not has_trailing_metadata(path)
    end = chunk(b"IEND", b"")
    turned = chunk(b"eXIf", exif(orientation=6).tobytes().removeprefix(b"Exif\0\0"))
    path.write_bytes(path.read_bytes().removesuffix(end) + turned + end)
    assert has_trailing_metadata(path)
    assert image_size(path) == (17, 13)
    np.testing.assert_array_equal(read_picture(path).samples, np.rot90(stored, -1))


def test_metadata_are_written_before_the_pixels(tmp_path):
    write_picture(tmp_path / "a.png", Picture(samples(kind=np.uint16), metadata=metadata()))
    content = (tmp_path / "a.png").read_bytes()
    assert not has_trailing_metadata(tmp_path / "a.png")
    assert all(content.index(kind) < content.index(b"IDAT") for kind in (b"eXIf", b"iCCP", b"iTXt"))


@pytest.mark.parametrize("kind", [b"IENv", b"pH\xffs"])
def test_chunks_that_readers_refuse_are_not_passed_on(tmp_path, kind):
    """Faults that tools/checks/fuzz_images.py found: behind the pixels nobody minds them."""
    write_picture(tmp_path / "a.png", Picture(samples(kind=np.uint16)))
    content = (tmp_path / "a.png").read_bytes()
    body = kind + b"something"
    chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "a.png").write_bytes(content[:-12] + chunk + content[-12:])
    picture = read_picture(tmp_path / "a.png")
    assert any("PNG chunk" in warning for warning in picture.warnings)
    write_picture(tmp_path / "b.png", picture)
    np.testing.assert_array_equal(read_picture(tmp_path / "b.png").samples, picture.samples)
