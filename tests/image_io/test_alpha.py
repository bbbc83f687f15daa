"""Colors are multiplied by alpha, or divided by it, as the format of the file means them."""

import numpy as np
import pytest
import tifffile

from mallenet_tf.image_io import read_picture, write_picture
from mallenet_tf.image_io.formats import conversion_warnings
from mallenet_tf.image_io.picture import Picture
from tests.helpers.sample_pictures import samples


def test_colors_are_divided_by_alpha_where_a_format_means_straight_alpha(tmp_path):
    data = samples(4, np.uint16)
    data[0, 0] = 7, 8, 9, 0  # invisible, and stays as it is
    data[0, 1] = 100, 200, 101, 100  # brighter than its alpha allows
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", extrasamples=["assocalpha"])
    picture = read_picture(tmp_path / "a.tif")
    colors, alpha = data[..., :3].astype(np.float64), data[..., 3:].astype(np.float64)
    straight = np.minimum(np.rint(65535 * colors / np.maximum(alpha, 1)), 65535)
    straight[0, 0] = 7, 8, 9
    for name, step in {"b.png": 1, "b.webp": 257}.items():
        write_picture(tmp_path / name, picture)
        found = read_picture(tmp_path / name)
        visible = found.samples[..., -1] > 0 if name == "b.webp" else ...  # WebP drops the others
        np.testing.assert_array_equal(found.pixels[visible], np.rint(straight / step)[visible])
        np.testing.assert_array_equal(found.samples[..., 3], np.rint(alpha[..., 0] / step))
    np.testing.assert_array_equal(picture.samples, data)  # writing changes no picture


def test_colors_are_multiplied_by_alpha_for_openexr(tmp_path):
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
def test_colors_are_kept_where_a_format_holds_that_kind_of_alpha(tmp_path, suffix, kind, alpha):
    data = samples(4, kind)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", extrasamples=[alpha])
    write_picture(tmp_path / f"b{suffix}", read_picture(tmp_path / "a.tif"))
    found = read_picture(tmp_path / f"b{suffix}")
    np.testing.assert_array_equal(found.samples, data)
    assert found.premultiplied == (alpha == "assocalpha")


@pytest.mark.parametrize("background", [(255, 255, 255), (10, 20, 30)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [2, 4])
def test_a_format_without_alpha_shows_the_background(tmp_path, channels, kind, background):
    data = samples(channels, kind)
    data[0, 0, -1], data[0, 1, -1] = 0, np.iinfo(kind).max
    write_picture(tmp_path / "a.bmp", Picture(data), background)
    found = read_picture(tmp_path / "a.bmp").samples
    assert found.shape[2] == (1 if channels == 2 and len(set(background)) == 1 else 3)
    white = np.iinfo(kind).max
    alpha = data[..., -1:] / white
    expected = alpha * (data[..., :-1] / white * 255) + (1 - alpha) * background
    assert np.abs(found - expected).max() <= 1
    np.testing.assert_array_equal(found[0, 0], np.array(background)[: found.shape[2]])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    ("photometric", "kinds"),
    [("rgb", [0]), ("rgb", [2, 0]), ("rgb", [0, 0, 2]), ("minisblack", [0])],
)
def test_channels_that_are_no_alpha_keep_their_tag(tmp_path, kind, photometric, kinds):
    data = samples((3 if photometric == "rgb" else 1) + len(kinds), kind)
    tifffile.imwrite(
        tmp_path / "a.tif", data, photometric=photometric, extrasamples=kinds, planarconfig="contig"
    )
    picture = read_picture(tmp_path / "a.tif")
    assert picture.has_alpha == (kinds[0] == 2)
    assert picture.pixels.shape[2] == (3 if photometric == "rgb" else 1)
    write_picture(tmp_path / "b.tif", picture)
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        np.testing.assert_array_equal(tiff.pages[0].asarray(), data)
        assert list(tiff.pages[0].extrasamples) == kinds
    if kind != np.float32:
        lost = " ".join(conversion_warnings("c.png", picture))
        assert "no color and no alpha" in lost
