"""JPEG files: what follows the picture is named, comments and IPTC are kept, ends are found."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import read_picture, write_picture
from mallenet_tf.image_io.exif import upright_exif
from mallenet_tf.image_io.formats import conversion_warnings
from mallenet_tf.image_io.jpeg import iptc_resource, read_layout
from mallenet_tf.image_io.picture import Metadata, Picture
from tests.helpers.sample_pictures import samples

SMOOTH = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
IPTC = b"\x1c\x02\x05\x00\x05title"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmlns:%s %s>%s</rdf:Description>'
MOTION = XMP % (
    b'G="http://ns.google.com/photos/1.0/camera/"',
    b'G:MotionPhoto="1" G:MotionPhotoVersion="1" G:Kept="yes"',
    b'<C:Directory xmlns:C="http://ns.google.com/photos/1.0/container/"><x/></C:Directory>',
)
HDR = XMP % (
    b'hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"',
    b'hdrgm:Version="1.0" dc:title="kept"',
    b"<hdrgm:GainMapMax><rdf:Seq/></hdrgm:GainMapMax><hdrgm:Gamma/>",
)


def jpeg(**options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(SMOOTH).save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def test_comments_segments_and_iptc_are_kept(tmp_path):
    metadata = Metadata(
        photoshop=iptc_resource(IPTC), jpeg=((0xFE, b"a comment"), (0xE9, b"Own\0data"))
    )
    write_picture(tmp_path / "a.jpg", Picture(SMOOTH, metadata=metadata))
    found = read_picture(tmp_path / "a.jpg")
    assert found.metadata == metadata and found.warnings == []
    write_picture(tmp_path / "b.tif", found)
    assert read_picture(tmp_path / "b.tif").metadata.photoshop == metadata.photoshop
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.info["comment"] == b"a comment"
        assert image.info["photoshop"][0x0404] == IPTC
    lost = " ".join(conversion_warnings("c.png", found))
    assert "IPTC" in lost and "comments" in lost and "APP9" in lost


@pytest.mark.parametrize(
    ("xmp", "trailer", "named"),
    [
        (MOTION, b"\0\0\0\x18ftypmp42", ["the video of the motion photo"]),
        (HDR, jpeg(), ["the gain map, which makes HDR of the picture,"]),
        (b"", jpeg(), ["what follows the picture: a preview or another picture"]),
        (b"", b"note", ["what follows the picture: 4 bytes"]),
        (b"", bytes(9), []),
    ],
)
def test_what_follows_is_named_and_its_announcement_removed(tmp_path, xmp, trailer, named):
    (tmp_path / "a.jpg").write_bytes(jpeg(xmp=xmp) + trailer if xmp else jpeg() + trailer)
    found = read_picture(tmp_path / "a.jpg")
    assert found.warnings == [f"{what} is not kept" for what in named]
    packet = found.metadata.xmp or b""
    assert not any(word in packet for word in (b":Motion", b"Directory", b"hdrgm:V", b"GainMapM"))
    assert packet.count(b"ept=") + packet.count(b"kept") == (1 if xmp else 0)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_file_without_its_end_is_read_and_a_truncated_one_refused(tmp_path, progressive):
    whole = jpeg(progressive=progressive)
    pixels = np.asarray(Image.open(io.BytesIO(whole)))
    assert read_layout(whole).end == len(whole)
    for missing in (1, 2):
        (tmp_path / "a.jpg").write_bytes(whole[:-missing])
        found = read_picture(tmp_path / "a.jpg")
        np.testing.assert_array_equal(found.samples, pixels)
        assert found.warnings == ["the file lacks its end marker; the picture is whole"]
    for missing in (12, len(whole) // 2):
        (tmp_path / "a.jpg").write_bytes(whole[:-missing])
        with pytest.raises(UserError, match="Not a readable image"):
            read_picture(tmp_path / "a.jpg")


def test_exif_keeps_its_places_and_is_upright():
    exif = Image.Exif()
    exif[0x0112], exif.get_ifd(0x8769)[0x927C] = 6, b"maker note"
    exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003] = 640, 480
    raw = exif.tobytes()
    upright = upright_exif(raw)
    assert len(upright) == len(raw) and upright.index(b"maker") == raw.index(b"maker")
    found = Image.Exif()
    found.load(upright)
    assert found[0x0112] == 1
    assert (found.get_ifd(0x8769)[0xA002], found.get_ifd(0x8769)[0xA003]) == (480, 640)


def test_damaged_exif_is_dropped_not_turned_twice(tmp_path):
    """Faults that tools/checks/fuzz_images.py found: more entries named than are there."""
    tag = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    many = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 1) + tag + bytes(4)
    assert upright_exif(many) == many.replace(tag, struct.pack(">HHIHH", 0x0112, 3, 1, 1, 0))
    assert upright_exif(many.replace(b"\0\x01\x01\x12", b"\0\x09\x01\x12")[:-4]) is None
    assert upright_exif(b"Exif\0\0MMR\xbb\x083\xa6c") is None


def test_the_thumbnail_shows_the_result(tmp_path):
    thumbnail = io.BytesIO()
    Image.new("RGB", (64, 48), "black").save(thumbnail, "JPEG", quality=100)
    data = thumbnail.getvalue().ljust(4000, b"\0")
    first = struct.pack("<HI", 0, 14)  # No tags; the second directory follows.
    second = struct.pack("<HHHIIHHIII", 2, 0x201, 4, 1, 44, 0x202, 4, 1, len(data), 0)
    raw = b"Exif\0\0II*\0\x08\0\0\0" + first + second + data
    write_picture(
        tmp_path / "a.jpg", Picture(np.full_like(SMOOTH, 200), metadata=Metadata(exif=raw))
    )
    written = read_picture(tmp_path / "a.jpg").metadata.exif
    assert len(written) == len(raw)
    with Image.open(io.BytesIO(written[6 + 44 :])) as image:
        assert np.abs(np.asarray(image).astype(int) - 200).max() <= 2


def test_further_tags_of_a_tiff_are_kept(tmp_path):
    picture = Picture(samples(), metadata=Metadata(tiff=((269, 2, 0, "a name"), (65000, 4, 1, 7))))
    write_picture(tmp_path / "a.tif", picture)
    found = read_picture(tmp_path / "a.tif")
    assert {tag[0]: tag[3] for tag in found.metadata.tiff} == {269: b"a name", 65000: 7}
    assert "DocumentName, 65000" in conversion_warnings("b.png", found)[0]
