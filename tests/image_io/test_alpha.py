"""Colors are multiplied by alpha, or divided by it, as the format of the file means them."""

import numpy as np
import pytest
import tifffile

from mallenet_tf.image_io import read_picture, write_picture
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
    for name, step in {"b.png": 1, "b.webp": 257, "b.bmp": 257}.items():
        write_picture(tmp_path / name, picture)
        found = read_picture(tmp_path / name)
        visible = found.samples[..., -1] > 0 if name == "b.webp" else ...  # WebP drops the others
        np.testing.assert_array_equal(found.pixels[visible], np.rint(straight / step)[visible])
        if found.has_alpha:
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
