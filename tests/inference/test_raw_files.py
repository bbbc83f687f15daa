"""Camera raw files go through the denoise command, from a mosaic to a TIFF."""

import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from mallenet_tf.common import srgb
from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import read_picture, write_image
from mallenet_tf.inference.batch_plan import plan_images, plan_jobs
from mallenet_tf.inference.options import Options
from tests.helpers.denoised_files import run
from tests.helpers.raw_files import COLORS, mosaic, patches, stripes, write_dng
from tests.helpers.sample_pictures import CAMERA

NOISE = 0.01


@pytest.fixture
def folder(tmp_path):
    write_dng(tmp_path / "in" / "photo.dng", mosaic(stripes(), NOISE))
    write_image(tmp_path / "in" / "picture.png", np.full((16, 16, 3), 100, np.uint8))
    return tmp_path / "in"


def distance(developed, expected):
    """Root mean square over the insides of the first stripes."""
    insides = patches(developed, mean=False)[: len(expected)]
    return np.sqrt(np.mean((insides - expected[:, None, None]) ** 2))


def test_the_result_is_a_denoised_tiff_of_16_bits_with_exif(folder, tmp_path, capsys):
    assert run([str(folder)], str(tmp_path / "out"), sigma=8) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "photo.tif",
        "picture.png",
    ]
    assert "warning: the camera's maker note" in capsys.readouterr().out
    result = read_picture(tmp_path / "out" / "photo.tif")
    assert result.samples.dtype == np.uint16 and result.metadata.icc
    kept = Image.Exif()
    kept.load(result.metadata.exif)
    assert kept.get_ifd(CAMERA)[0x8827] == 6400
    noisy = read_picture(folder / "photo.dng").samples / 65535
    scene = srgb.to_srgb(np.array(COLORS), np)[:3]  # Noise on the fourth is clipped at black.
    np.testing.assert_allclose(patches(result.samples / 65535)[:3], scene, atol=4e-3)
    assert distance(result.samples / 65535, scene) < 0.4 * distance(noisy, scene)


@pytest.mark.parametrize("suffix", [".tif", ".exr"])
def test_linear_writes_floats_in_linear_light(folder, tmp_path, suffix):
    target = tmp_path / f"out{suffix}"
    assert run([str(folder / "photo.dng")], str(target), sigma=8, linear=True) == 0
    result = read_picture(target)
    assert result.samples.dtype == np.float32
    np.testing.assert_allclose(patches(result.samples)[:3], COLORS[:3], atol=4e-3)
    if suffix == ".tif":
        with tifffile.TiffFile(target) as tiff:
            assert tiff.pages[0].dtype == np.float32


def test_without_rawpy_raw_files_are_named_and_the_rest_denoised(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    assert run([str(folder)], str(tmp_path / "out"), sigma=8) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["picture.png"]
    count, line = capsys.readouterr().err.splitlines()[-2:]
    assert count == "1 of 2 files failed:"
    assert "photo.dng" in line and "pip install 'mallenet-tf[raw]'" in line


def test_a_raw_file_cannot_be_written(folder):
    with pytest.raises(UserError, match="suffix must be one of .*Received: 'clean.nef'"):
        plan_images([str(folder / "photo.dng")], "clean.nef")


def test_a_raw_file_and_a_tiff_of_its_name_collide(folder):
    write_image(folder / "photo.tif", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UserError, match="Two inputs would be written to 'out/photo.tif'"):
        plan_jobs([str(folder)], "out", Options())
    with pytest.raises(UserError, match="would replace an input"):
        plan_jobs([str(folder)], str(folder), Options())


def test_linear_is_for_raw_files_only(folder, tmp_path, capsys):
    with pytest.raises(UserError, match=r"--linear is for camera raw files.*Received: .*picture"):
        plan_jobs([str(folder)], "out", Options(linear=True))
    with pytest.raises(UserError, match="--linear is not for a video"):
        plan_jobs([str(folder)], "out", Options(linear=True, video=True))
    raw, target = str(folder / "photo.dng"), str(tmp_path / "a.png")
    assert run([raw], target, sigma=8, linear=True) == 1
    assert "PNG cannot hold linear floats; write .tif or .exr" in capsys.readouterr().err


def test_frames_of_a_video_may_be_raw(folder, tmp_path):
    (folder / "picture.png").unlink()
    write_dng(folder / "photo2.dng", mosaic(stripes(), NOISE))
    options = {"sigma": 8, "video": True}
    assert run([str(folder)], str(tmp_path / "out"), **options) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["photo.tif", "photo2.tif"]
    write_image(folder / "photo.tif", np.zeros((96, 128, 3), np.uint16))
    assert run([str(folder)], str(tmp_path / "other"), **options) == 1
