"""What files say beside their colours survives the way from one format to another, or is named."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import read_picture, write_picture
from mallenet_tf.image_io.exif import apply_orientation
from mallenet_tf.image_io.formats import conversion_warnings
from mallenet_tf.image_io.picture import Metadata, Picture

ORIENTATION, ARTIST, DESCRIPTION, CAMERA, LENS, XMP = 0x0112, 0x013B, 0x010E, 0x8769, 0xA434, 700
SPELLINGS = [
    '<rdf:Description tiff:Orientation="%d" tiff:Make="Maker"/>',
    "<rdf:Description><tiff:Orientation>%d</tiff:Orientation></rdf:Description>",
]


def samples(channels=3, kind=np.uint8, size=(13, 17)):
    random = np.random.default_rng(0)
    if np.issubdtype(kind, np.floating):
        return (3 * random.random((*size, channels))).astype(kind)
    return random.integers(0, np.iinfo(kind).max + 1, (*size, channels)).astype(kind)


def write_with_xmp(path, stored, xmp, orientation=None):
    """A file as others write it: `write_picture` would not tell EXIF from a TIFF's own tag."""
    if path.suffix == ".tif":
        tags = [(XMP, "B", len(xmp), xmp, True)]
        tags += [(ORIENTATION, "H", 1, orientation, True)] if orientation else []
        tifffile.imwrite(path, stored, photometric="rgb", extratags=tags)
        return
    exif = Image.Exif()
    if orientation:
        exif[ORIENTATION] = orientation
    data = exif.tobytes() if orientation else None
    write_picture(path, Picture(stored, metadata=Metadata(exif=data, xmp=xmp)))


@pytest.mark.parametrize("in_exif", [None, 1, 6])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif", "deep.png", "deep.tif"])
def test_an_orientation_in_xmp_is_applied_and_not_kept(tmp_path, name, spelling, in_exif):
    stored = samples(kind=np.uint16 if "deep" in name else np.uint8)
    write_with_xmp(tmp_path / name, stored, (spelling % 6).encode(), in_exif)
    found = read_picture(tmp_path / name)
    turn = in_exif or 6  # EXIF's counts where both say one
    np.testing.assert_array_equal(found.samples, apply_orientation(stored, turn))
    assert b"Orientation" not in found.metadata.xmp and b"rdf:Description" in found.metadata.xmp
    write_picture(tmp_path / f"again {name}", found)
    again = read_picture(tmp_path / f"again {name}")
    np.testing.assert_array_equal(again.samples, found.samples)


def test_colours_are_divided_by_alpha_where_a_format_means_straight_alpha(tmp_path):
    data = samples(4, np.uint16)
    data[0, 0] = 7, 8, 9, 0  # invisible, and stays as it is
    data[0, 1] = 100, 200, 101, 100  # brighter than its alpha allows
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", extrasamples=["assocalpha"])
    picture = read_picture(tmp_path / "a.tif")
    colours, alpha = data[..., :3].astype(np.float64), data[..., 3:].astype(np.float64)
    straight = np.minimum(np.rint(65535 * colours / np.maximum(alpha, 1)), 65535)
    straight[0, 0] = 7, 8, 9
    for name, step in {"b.png": 1, "b.webp": 257, "b.bmp": 257}.items():
        write_picture(tmp_path / name, picture)
        found = read_picture(tmp_path / name)
        visible = found.samples[..., -1] > 0 if name == "b.webp" else ...  # WebP drops the others
        np.testing.assert_array_equal(found.pixels[visible], np.rint(straight / step)[visible])
        if found.has_alpha:
            np.testing.assert_array_equal(found.samples[..., 3], np.rint(alpha[..., 0] / step))
    np.testing.assert_array_equal(picture.samples, data)  # writing changes no picture


def test_colours_are_multiplied_by_alpha_for_openexr(tmp_path):
    data = samples(4, np.float32)
    data[0, 0] = np.inf, 1.0, 1.0, 0.0
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", extrasamples=["unassalpha"])
    write_picture(tmp_path / "b.exr", read_picture(tmp_path / "a.tif"))
    found = read_picture(tmp_path / "b.exr").samples
    np.testing.assert_array_equal(found[0, 0], 0)
    np.testing.assert_allclose(found[1:, :, :3], data[1:, :, :3] * data[1:, :, 3:], rtol=1e-6)
    np.testing.assert_array_equal(found[..., 3], data[..., 3])


@pytest.mark.parametrize(
    ("suffix", "kind", "alpha"),
    [
        (".tif", np.uint16, "assocalpha"),
        (".tif", np.uint16, "unassalpha"),
        (".tif", np.float32, "unassalpha"),
        (".exr", np.float32, "assocalpha"),
        (".png", np.uint16, "unassalpha"),
    ],
)
def test_colours_are_kept_where_a_format_holds_that_kind_of_alpha(tmp_path, suffix, kind, alpha):
    data = samples(4, kind)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", extrasamples=[alpha])
    write_picture(tmp_path / f"b{suffix}", read_picture(tmp_path / "a.tif"))
    found = read_picture(tmp_path / f"b{suffix}")
    np.testing.assert_array_equal(found.samples, data)
    assert found.premultiplied == (alpha == "assocalpha")


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


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_what_a_jpeg_segment_cannot_hold_is_left_out_and_named(tmp_path, kind):
    head = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"
    for beyond in (0, 1):
        metadata = Metadata(exif=head.ljust(65533 + beyond, b"\0"), xmp=b"x" * (65504 + beyond))
        picture = Picture(samples(kind=kind), metadata=metadata)
        notes = " ".join(conversion_warnings("a.jpg", picture))
        assert ("EXIF of more than 64 KB" in notes) == ("XMP of more than" in notes) == bool(beyond)
        write_picture(tmp_path / "a.jpg", picture)
        found = read_picture(tmp_path / "a.jpg").metadata
        assert (found.exif is None) == (found.xmp is None) == bool(beyond)
        assert "KB" not in " ".join(
            conversion_warnings("a.png", picture) + conversion_warnings("a.tif", picture)
        )


def test_a_side_longer_than_jpeg_codecs_take_is_refused_by_name(tmp_path):
    write_picture(tmp_path / "a.jpg", Picture(np.zeros((65500, 1, 1), np.uint8)))
    with pytest.raises(UserError, match="at most 65500 pixels a side.*Received: 1 x 65501"):
        write_picture(tmp_path / "b.jpg", Picture(np.zeros((65501, 1, 1), np.uint8)))


def test_exif_of_a_webp_file_reaches_jpeg(tmp_path):
    exif = Image.Exif()
    exif[ARTIST] = "Ann"
    Image.fromarray(samples()).save(tmp_path / "a.webp", exif=exif)  # without the prefix of JPEG
    write_picture(tmp_path / "b.jpg", read_picture(tmp_path / "a.webp"))
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.getexif()[ARTIST] == "Ann"


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("tiny", [np.uint8, np.uint16])
def test_the_thumbnail_of_a_tiff_is_left_out(tmp_path, kind, first, tiny):
    photograph = (samples(kind=kind), {"extratags": [(ARTIST, "s", 0, "Ann", True)]})
    thumbnail = (samples(kind=tiny, size=(3, 4)), {"subfiletype": 1, "iccprofile": b"its own"})
    pages = [thumbnail, photograph] if first else [photograph, thumbnail]
    with tifffile.TiffWriter(tmp_path / "a.tif", byteorder=">" if first else "<") as tiff:
        for page, options in pages:
            tiff.write(page, photometric="rgb", metadata=None, **options)
    found = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.samples, photograph[0])
    assert found.warnings == ["smaller copies of the picture in the file are not kept"]
    assert found.metadata.icc is None
    exif = Image.Exif()
    exif.load(found.metadata.exif)
    assert exif[ARTIST] == "Ann"
