"""EXIF and XMP: orientations are applied and dropped, the rest becomes portable."""

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from mallenet_tf.image_io import read_picture, write_picture
from mallenet_tf.image_io.exif import apply_orientation, portable_exif, split_orientation
from mallenet_tf.image_io.picture import Metadata, Picture
from tests.helpers.sample_pictures import CAMERA, MAKE, ORIENTATION, PLACE, XMP, exif, samples

SPELLINGS = [
    '<rdf:Description tiff:Orientation="%d" tiff:Make="Maker"/>',
    "<rdf:Description><tiff:Orientation>%d</tiff:Orientation></rdf:Description>",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_packet_is_split_from_its_orientation(spelling):
    packet, orientation = split_orientation(spelling % 8)
    assert orientation == 8
    assert b"Orientation" not in packet and b"rdf:Description" in packet
    assert split_orientation(packet) == (packet, 1)
    assert split_orientation(None) == (None, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_view_is_turned_and_no_copy_is_made(orientation):
    stored = samples(4, size=(2, 3))
    turned = apply_orientation(stored, orientation)
    assert np.shares_memory(turned, stored)
    assert turned.shape[:2] == ((3, 2) if orientation >= 5 else (2, 3))


def test_the_storage_of_a_tiff_is_not_portable():
    compression = 0x0103
    data = exif(orientation=6)
    data[compression] = 5
    for from_tiff in (False, True):
        kept = Image.Exif()
        kept.load(portable_exif(data, from_tiff))
        assert kept[MAKE] == "Maker" and kept.get_ifd(CAMERA)[0x829A] == 0.01
        assert kept.get_ifd(PLACE) == {1: "N"} and ORIENTATION not in kept
        assert (compression in kept) == (not from_tiff)
    assert portable_exif(Image.Exif(), from_tiff=False) is None


def test_upright_is_what_pillow_does():
    for orientation in range(1, 9):
        turned = Image.Exif()
        turned[ORIENTATION] = orientation
        picture = Image.fromarray(samples())
        picture.info["exif"] = turned.tobytes()
        wanted = np.asarray(ImageOps.exif_transpose(picture))
        np.testing.assert_array_equal(apply_orientation(samples(), orientation), wanted)


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
