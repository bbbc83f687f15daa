"""What a format cannot hold is left out with a conversion warning, or refused."""

import numpy as np
import pytest

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import read_picture, write_image, write_picture
from mallenet_tf.image_io.formats import conversion_warnings, format_of, written_metadata
from mallenet_tf.image_io.picture import Metadata, Picture
from tests.helpers.sample_pictures import metadata, samples


def test_the_suffix_names_the_format_in_upper_case_too():
    assert format_of("a.PNG") == "PNG" and format_of("b.JpEg") == "JPEG"
    with pytest.raises(UserError, match=r"suffix must be one of \.png .*Received: 'a\.gif'"):
        format_of("a.gif")


def test_metadata_is_reduced_to_what_a_format_holds():
    given = metadata()
    picture = Picture(samples(), metadata=given)
    assert written_metadata("JPEG", picture) == given
    assert written_metadata("BMP", picture) == Metadata(dpi=given.dpi)
    assert written_metadata("EXR", picture) == Metadata()


def test_losses_are_named():
    deep = Picture(samples(4, np.uint16), metadata=metadata())
    assert conversion_warnings("a.png", deep) == conversion_warnings("a.tif", deep) == []
    assert conversion_warnings("a.jpg", deep) == [
        "JPEG cannot hold alpha; the background is seen through it",
        "JPEG holds 8 of the 16 bits",
    ]
    assert conversion_warnings("a.webp", Picture(samples(), metadata=metadata())) == [
        "WEBP cannot hold the resolution"
    ]
    lost = " ".join(conversion_warnings("a.bmp", Picture(samples(4), metadata=metadata())))
    assert all(word in lost for word in ("alpha", "profile", "EXIF", "XMP"))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_what_a_jpeg_segment_cannot_hold_is_left_out_and_named(tmp_path, kind):
    head = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"
    for beyond in (0, 1):
        large = Metadata(exif=head.ljust(65533 + beyond, b"\0"), xmp=b"x" * (65504 + beyond))
        picture = Picture(samples(kind=kind), metadata=large)
        notes = " ".join(conversion_warnings("a.jpg", picture))
        assert ("EXIF of more than 64 KB" in notes) == ("XMP of more than" in notes) == bool(beyond)
        write_picture(tmp_path / "a.jpg", picture)
        found = read_picture(tmp_path / "a.jpg").metadata
        assert (found.exif is None) == (found.xmp is None) == bool(beyond)
        assert "KB" not in " ".join(
            conversion_warnings("a.png", picture) + conversion_warnings("a.tif", picture)
        )


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


def test_a_side_longer_than_jpeg_codecs_take_is_refused_by_name(tmp_path):
    write_picture(tmp_path / "a.jpg", Picture(np.zeros((65500, 1, 1), np.uint8)))
    with pytest.raises(UserError, match="at most 65500 pixels a side.*Received: 1 x 65501"):
        write_picture(tmp_path / "b.jpg", Picture(np.zeros((65501, 1, 1), np.uint8)))
