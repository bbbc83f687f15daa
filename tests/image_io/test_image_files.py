"""Image files keep their depth, alpha and metadata, and what is lost or wrong is said by name."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import read_image, read_picture, write_image, write_picture
from mallenet_tf.image_io.exif import apply_orientation
from mallenet_tf.image_io.formats import conversion_warnings
from mallenet_tf.image_io.picture import Metadata, Picture

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ORIENTATION, MAKE, DESCRIPTION, CAMERA, PLACE = 0x0112, 0x010F, 0x010E, 0x8769, 0x8825


def samples(channels=3, kind=np.uint8, size=(13, 17)):
    random = np.random.default_rng(0)
    if np.issubdtype(kind, np.floating):
        return (3 * random.random((*size, channels))).astype(kind)
    return random.integers(0, np.iinfo(kind).max + 1, (*size, channels)).astype(kind)


def exif(orientation=None):
    data = Image.Exif()
    data[MAKE], data[DESCRIPTION] = "Maker", "a picture"
    data.get_ifd(CAMERA)[0x829A] = 0.01  # exposure time
    data.get_ifd(CAMERA)[0x9286] = b"ASCII\0\0\0hello"  # user comment
    data.get_ifd(PLACE)[1] = "N"
    if orientation:
        data[ORIENTATION] = orientation
    return data


def metadata():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
    return Metadata(ICC, exif().tobytes(), xmp, (300.0, 300.0))


def check_metadata(found, lossless_dpi=False):
    assert found.icc == ICC and found.xmp == metadata().xmp
    data = Image.Exif()
    data.load(found.exif)
    assert (data[MAKE], data[DESCRIPTION]) == ("Maker", "a picture")
    assert dict(data.get_ifd(CAMERA)) == {0x829A: 0.01, 0x9286: b"ASCII\0\0\0hello"}
    assert dict(data.get_ifd(PLACE)) == {1: "N"}


KEPT = [
    (suffix, channels, kind)
    for suffix, kinds in {
        ".png": (np.uint8, np.uint16),
        ".TIF": (np.uint8, np.uint16, np.float16, np.float32, np.float64),
        ".exr": (np.float16, np.float32),
        ".webp": (np.uint8,),
        ".bmp": (np.uint8,),
    }.items()
    for kind in kinds
    for channels in {".webp": (3,), ".bmp": (1, 3)}.get(suffix, (1, 2, 3, 4))
]


@pytest.mark.parametrize(("suffix", "channels", "kind"), KEPT)
def test_samples_come_back(tmp_path, suffix, channels, kind):
    path = tmp_path / f"größe 1{suffix}"
    write_picture(path, Picture(samples(channels, kind), premultiplied=suffix == ".exr"))
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.samples, samples(channels, kind))
    assert picture.samples.dtype == kind and picture.warnings == []
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_other_readers_agree(tmp_path, suffix, kind):
    path = tmp_path / f"a{suffix}"
    write_picture(path, Picture(samples(4, kind), metadata=metadata()))
    if suffix == ".tif":
        np.testing.assert_array_equal(tifffile.imread(path), samples(4, kind))
    with Image.open(path) as image:
        assert image.mode == "RGBA"
        wanted = samples(4, kind) // (1 if kind == np.uint8 else 257)
        assert np.abs(np.asarray(image).astype(int) - wanted).max() <= 1  # Pillow narrows


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp"])
def test_metadata_come_back(tmp_path, suffix, kind):
    path = tmp_path / f"a{suffix}"
    picture = Picture(samples(3, kind), metadata=metadata())
    write_picture(path, picture)
    found = read_picture(path).metadata
    check_metadata(found)
    if suffix != ".webp":
        assert found.dpi == pytest.approx((300, 300), abs=0.01)
    with Image.open(path) as image:  # and others find them too
        assert image.getexif()[MAKE] == "Maker"
        assert image.getexif().get_ifd(CAMERA)[0x829A] == pytest.approx(0.01)
        assert image.info["icc_profile"] == ICC


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_close(tmp_path, channels):
    smooth = np.linspace(0, 255, 40 * 50 * channels).reshape(40, 50, channels).astype(np.uint8)
    write_image(tmp_path / "a.jpg", smooth)
    read = read_image(tmp_path / "a.jpg")
    assert read.shape == smooth.shape
    assert np.abs(read.astype(int) - smooth).mean() < 1.5


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".jpg", ".webp"])
def test_a_single_pixel(tmp_path, suffix):
    write_image(tmp_path / f"dot{suffix}", samples(size=(1, 1)))
    assert read_image(tmp_path / f"dot{suffix}").shape == (1, 1, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.tif", "deep.png", "deep.tif"])
def test_orientation_is_applied_and_not_kept(tmp_path, name, orientation):
    stored = samples(kind=np.uint16 if "deep" in name else np.uint8)
    picture = Picture(stored, metadata=Metadata(exif=exif(orientation).tobytes()))
    if name.endswith(".tif"):  # where the orientation is a tag like any other
        tag = [(ORIENTATION, "H", 1, orientation, True)]
        tifffile.imwrite(tmp_path / name, stored, photometric="rgb", extratags=tag)
    else:
        write_picture(tmp_path / name, picture)
    found = read_picture(tmp_path / name)
    np.testing.assert_array_equal(found.samples, apply_orientation(stored, orientation))
    write_picture(tmp_path / f"again {name}", found)
    again = read_picture(tmp_path / f"again {name}")
    np.testing.assert_array_equal(again.samples, found.samples)


def test_upright_is_what_pillow_does():
    for orientation in range(1, 9):
        turned = Image.Exif()
        turned[ORIENTATION] = orientation
        picture = Image.fromarray(samples())
        picture.info["exif"] = turned.tobytes()
        wanted = np.asarray(ImageOps.exif_transpose(picture))
        np.testing.assert_array_equal(apply_orientation(samples(), orientation), wanted)


def test_palettes_bilevel_images_and_transparent_colours_are_resolved(tmp_path):
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


def test_exr_keeps_its_header_and_other_channels(tmp_path):
    import OpenEXR

    plane = samples(1, np.float16)[..., 0]
    depth = samples(1, np.float32)[..., 0]
    header = {"compression": OpenEXR.PIZ_COMPRESSION, "type": OpenEXR.scanlineimage, "owner": "me"}
    channels = {name: plane for name in "RGB"} | {"depth.Z": depth}
    OpenEXR.File(header, channels).write(str(tmp_path / "a.exr"))
    picture = read_picture(tmp_path / "a.exr")
    picture.pixels[...] *= np.float16(0.5)
    write_picture(tmp_path / "b.exr", picture)
    with OpenEXR.File(str(tmp_path / "b.exr"), separate_channels=True) as file:
        assert file.header()["owner"] == "me"
        assert file.header()["compression"] == OpenEXR.PIZ_COMPRESSION
        found = file.channels()
        np.testing.assert_array_equal(found["depth.Z"].pixels, depth)
        np.testing.assert_array_equal(found["G"].pixels, plane * np.float16(0.5))
        assert found["R"].pixels.dtype == np.float16
    assert any("other channels" in note for note in conversion_warnings("b.tif", picture))


def test_losses_are_named():
    deep = Picture(samples(4, np.uint16), metadata=metadata())
    assert conversion_warnings("a.png", deep) == conversion_warnings("a.tif", deep) == []
    assert conversion_warnings("a.jpg", deep) == [
        "JPEG cannot hold alpha",
        "JPEG holds 8 of the 16 bits",
    ]
    assert conversion_warnings("a.webp", Picture(samples(), metadata=metadata())) == [
        "WEBP cannot hold the resolution"
    ]
    lost = " ".join(conversion_warnings("a.bmp", Picture(samples(4), metadata=metadata())))
    assert all(word in lost for word in ("alpha", "profile", "EXIF", "XMP"))


def test_narrowing_to_eight_bits_rounds(tmp_path):
    deep = samples(3, np.uint16)
    write_picture(tmp_path / "a.bmp", Picture(deep))
    np.testing.assert_array_equal(read_image(tmp_path / "a.bmp"), np.rint(deep / 257))


def test_pictures_that_a_format_cannot_hold_are_refused(tmp_path):
    linear = Picture(samples(3, np.float32))
    with pytest.raises(UserError, match=r"PNG cannot hold linear floats; write \.tif or \.exr"):
        write_picture(tmp_path / "a.png", linear)
    with pytest.raises(UserError, match="OpenEXR holds linear floats.*uint8"):
        write_picture(tmp_path / "a.exr", Picture(samples()))
    with pytest.raises(UserError, match=r"suffix must be one of \.png .*Received: .*a.gif"):
        write_image(tmp_path / "a.gif", samples())
    with pytest.raises(UserError, match="at most 16383 pixels.*Received: 16384 x 1"):
        write_image(tmp_path / "a.webp", samples(1, size=(1, 16384)))
    with pytest.raises(ValueError, match="Received: dtype=float64"):
        write_image(tmp_path / "a.png", np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match=r"shape=\(4, 4, 4\)"):
        write_image(tmp_path / "a.png", np.zeros((4, 4, 4), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_denoised_is_refused_by_name(tmp_path):
    frame = Image.fromarray(samples())
    frame.save(tmp_path / "frames.tif", save_all=True, append_images=[frame])
    tifffile.imwrite(tmp_path / "deep frames.tif", np.zeros((2, 9, 9), np.uint16))
    tifffile.imwrite(tmp_path / "int.tif", np.zeros((9, 9), np.int32))
    tifffile.imwrite(tmp_path / "five.tif", np.zeros((9, 9, 5), np.uint16), photometric="rgb")
    cmyk = np.zeros((9, 9, 4), np.uint16)
    tifffile.imwrite(tmp_path / "print.tif", cmyk, photometric="separated")
    frame.convert("LAB").save(tmp_path / "lab.tif")
    for name, message in {
        "frames.tif": "2 frames",
        "deep frames.tif": "2 frames",
        "int.tif": "values of 32 bits",
        "five.tif": "5 values a pixel",
        "print.tif": "SEPARATED colors of 16 bits",
        "lab.tif": "color mode LAB",
    }.items():
        with pytest.raises(UserError, match=f"{message}.*Received: .*{name}"):
            read_picture(tmp_path / name)


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
