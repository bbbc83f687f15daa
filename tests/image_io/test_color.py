"""What a file says of its transfer function decides what its values mean, and is kept."""

import struct

import imagecodecs
import numpy as np
import pytest
import tifffile

from mallenet_tf.common import srgb, transfer
from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import decode_image, read_picture, write_picture
from mallenet_tf.image_io.color import declared_transfer, make_profile
from mallenet_tf.image_io.picture import Metadata, Picture
from tests.helpers.sample_pictures import ICC, samples

LINEAR_ICC = make_profile(transfer.LINEAR)
GAMMA18_ICC = make_profile(transfer.gamma(1.8))
PQ_CHUNK, HLG_CHUNK = bytes((9, 16, 0, 1)), bytes((9, 18, 0, 1))


def gama(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(100_000 * value))


def write_png(path, pixels, *chunks):
    """A PNG file with these chunks, as others write it."""
    write_picture(path, Picture(pixels, metadata=Metadata(png=chunks)))


CUBE = transfer.table("a cube", np.linspace(0, 1, 99) ** 3)


@pytest.mark.parametrize(
    "function", [transfer.SRGB, transfer.gamma(1.8), transfer.PQ, transfer.HLG, CUBE]
)
def test_curves_have_inverses_and_keep_every_code(function):
    for kind in (np.uint8, np.uint16):
        codes = np.arange(np.iinfo(kind).max + 1, dtype=kind)[None]
        linear = function.to_linear(codes)
        assert (np.diff(linear[0]) >= 0).all()
        np.testing.assert_array_equal(function.from_linear(linear, kind), codes)


def test_white_and_gray_of_hdr_curves():
    # BT.2408: graphics white is 58 % of PQ and 75 % of HLG.
    assert transfer.PQ.decode(np.array(0.5806)) == pytest.approx(1.0, rel=5e-3)
    assert transfer.HLG.decode(np.array(0.75)) == pytest.approx(1.0)
    assert transfer.PQ.decode(np.array(1.0)) == pytest.approx(10000 / 203)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("chunks", "function"),
    [
        ([gama(1.0)], transfer.LINEAR),
        ([gama(1 / 1.8)], transfer.gamma(1.8)),
        ([(b"cICP", PQ_CHUNK)], transfer.PQ),
        ([(b"cICP", HLG_CHUNK), gama(1.0)], transfer.HLG),
        ([(b"cICP", bytes((1, 8, 0, 1)))], transfer.LINEAR),
    ],
)
def test_chunks_of_png_decide_and_are_kept(tmp_path, kind, chunks, function):
    stored = samples(4, kind)
    write_png(tmp_path / "a.png", stored, *chunks)
    picture = read_picture(tmp_path / "a.png")
    assert picture.linear and picture.file_type == kind
    np.testing.assert_allclose(
        picture.pixels, function.decode(stored[..., :3] / np.iinfo(kind).max), rtol=2e-3, atol=1e-5
    )
    write_picture(tmp_path / "b.png", picture)
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "a.png").read_bytes()


@pytest.mark.parametrize("chunks", [[], [gama(0.45455)], [gama(1.0), (b"sRGB", b"\0")]])
def test_what_a_display_shows_stays_as_it_is(tmp_path, chunks):
    write_png(tmp_path / "a.png", samples(), *chunks)
    picture = read_picture(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.samples, samples())
    write_picture(tmp_path / "b.png", picture)
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "a.png").read_bytes()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(
    ("icc", "function"), [(LINEAR_ICC, transfer.LINEAR), (GAMMA18_ICC, transfer.gamma(1.8))]
)
def test_profiles_decide_for_integers(tmp_path, suffix, icc, function):
    stored = samples(3, np.uint16)
    write_picture(tmp_path / f"a{suffix}", Picture(stored, metadata=Metadata(icc=icc)))
    picture = read_picture(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(picture.samples, function.decode(stored / 65535), atol=1e-4)
    write_picture(tmp_path / f"b{suffix}", picture)
    again = read_picture(tmp_path / f"b{suffix}")
    np.testing.assert_array_equal(again.samples, picture.samples)
    assert again.metadata.icc == icc


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("icc", "function"),
    [(ICC, transfer.SRGB), (LINEAR_ICC, transfer.LINEAR), (None, transfer.LINEAR),
     (GAMMA18_ICC, transfer.gamma(1.8))],
)  # fmt: skip
def test_profiles_decide_for_floats(tmp_path, kind, icc, function):
    stored = np.random.default_rng(0).random((13, 17, 3)).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", iccprofile=icc)
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_allclose(
        picture.samples, function.decode(stored.astype(float)), rtol=2e-3, atol=5e-4
    )
    write_picture(tmp_path / "b.tif", picture)
    back = tifffile.imread(tmp_path / "b.tif")
    assert back.dtype == kind
    np.testing.assert_allclose(back, stored, atol=1e-3 if kind == np.float16 else 2e-5)
    write_picture(tmp_path / "c.exr", picture)  # Which is linear light.
    np.testing.assert_allclose(
        read_picture(tmp_path / "c.exr").samples, picture.samples.astype(np.float32), rtol=1e-3
    )


def test_formats_without_the_chunks_get_a_profile(tmp_path):
    write_png(tmp_path / "a.png", samples(kind=np.uint16), gama(1.0))
    picture = read_picture(tmp_path / "a.png")
    for name in ("b.tif", "b.jpg", "b.webp"):
        write_picture(tmp_path / name, picture)
        found = read_picture(tmp_path / name)
        assert declared_transfer(found.metadata).is_near(transfer.LINEAR, 1e-3)
    np.testing.assert_allclose(read_picture(tmp_path / "b.tif").samples, picture.samples, atol=1e-5)
    write_picture(tmp_path / "b.bmp", picture)  # Which holds no profile, and is sRGB.
    shown = srgb.to_srgb(picture.samples, np)
    np.testing.assert_allclose(read_picture(tmp_path / "b.bmp").samples / 255, shown, atol=3e-3)
    display_p3 = Metadata(cicp=(12, 13, 0, 1))
    write_picture(tmp_path / "c.jpg", Picture(samples(), metadata=display_p3))
    lcms = read_picture(tmp_path / "c.jpg").metadata.icc
    red = np.array([[[1.0, 0.0, 0.0]]], np.float32)
    in_srgb = imagecodecs.cms_transform(
        red, lcms, ICC, colorspace="rgb", outcolorspace="rgb", outdtype="float32"
    )
    assert in_srgb[0, 0, 0] == pytest.approx(1.093, abs=0.01) and in_srgb[0, 0, 1] < 0


def test_hdr_is_never_written_as_if_it_were_srgb(tmp_path):
    write_png(tmp_path / "a.png", samples(kind=np.uint16), (b"cICP", PQ_CHUNK))
    picture = read_picture(tmp_path / "a.png")
    assert any("PQ" in warning for warning in picture.warnings)
    for name in ("b.jpg", "b.tif", "b.bmp", "b.webp"):
        with pytest.raises(UserError, match="cannot say that its values are PQ"):
            write_picture(tmp_path / name, picture)
    write_picture(tmp_path / "b.exr", picture)
    assert read_picture(tmp_path / "b.exr").samples.max() > 10


def test_training_sees_what_a_display_shows(tmp_path):
    linear = np.array([[[0.0, 0.2122, 1.0]]])
    write_png(tmp_path / "a.png", np.rint(65535 * linear).astype(np.uint16), gama(1.0))
    np.testing.assert_array_equal(decode_image(tmp_path / "a.png"), [[[0, 127, 255]]])
    write_png(tmp_path / "b.png", samples(kind=np.uint16), (b"cICP", HLG_CHUNK))
    with pytest.raises(UserError, match="HLG"):
        decode_image(tmp_path / "b.png")


def test_a_damaged_profile_is_named(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", samples(), photometric="rgb", iccprofile=ICC[:200])
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.samples, samples())
    assert picture.metadata.icc is None and any(
        "color profile cannot be read" in warning for warning in picture.warnings
    )
