"""Training and denoising read a file alike: each rule is held on both sides, on the same file."""

import keras
import numpy as np
import pytest
from PIL import Image, ImageOps

from mallenet_tf.data import ImageFolder
from mallenet_tf.data.sources.base import SampleShape
from mallenet_tf.image_io import read_image, write_image
from mallenet_tf.inference import Denoiser
from mallenet_tf.inference.batch import denoise_file
from mallenet_tf.inference.batch_plan import plan_images
from mallenet_tf.inference.noise_level import MeasuredNoise
from mallenet_tf.inference.options import Options
from mallenet_tf.models import DenoisingModel
from tests.helpers.denoised_files import OneNetwork
from tests.helpers.sample_pictures import ORIENTATION, exif, samples


def training_patches(folder, size, channels=3, count=1):
    """The first samples that training draws from a folder, before noise and symmetries."""
    sample = ImageFolder(folder).sample_function(SampleShape(size, channels), seed=0)
    return [sample(number).numpy() for number in range(count)]


def denoise(inputs, output, channels=3):
    """Denoises files by a network that changes no pixel."""
    image = keras.Input((None, None, channels))
    network = DenoisingModel(image, image * 1.0)
    network.size_multiple = 8
    network.image_channels = channels
    for job in plan_images([str(inputs)], str(output)):
        assert denoise_file(job, OneNetwork(Denoiser(network)), Options()).error is None


def is_part_of(patch, image):
    windows = np.lib.stride_tricks.sliding_window_view(image, patch.shape)
    return (windows == patch).all(axis=(-3, -2, -1)).any()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_is_upright(tmp_path, orientation):
    photograph = tmp_path / "in" / "photograph.jpg"
    photograph.parent.mkdir()
    Image.fromarray(samples(size=(16, 24))).save(photograph, exif=exif(orientation), quality=95)
    with Image.open(photograph) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))

    patches = training_patches(photograph.parent, 12, count=4)
    assert all(is_part_of(patch, upright) for patch in patches)
    np.testing.assert_array_equal(ImageFolder(photograph.parent).load(3).image(0), upright)

    denoise(photograph, tmp_path / "clean.png")
    with Image.open(tmp_path / "clean.png") as result:
        np.testing.assert_array_equal(np.asarray(result), upright)
        assert result.getexif().get(ORIENTATION, 1) == 1


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_become_eight_by_rounding(tmp_path, suffix):
    every_value = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    rounded = np.rint(every_value / 257).astype(np.uint8)
    write_image(tmp_path / "in" / f"deep{suffix}", every_value)
    (patch,) = training_patches(tmp_path / "in", 256, channels=1)
    np.testing.assert_array_equal(patch, rounded)
    denoise(tmp_path / "in" / f"deep{suffix}", tmp_path / "narrow.bmp", channels=1)
    np.testing.assert_array_equal(read_image(tmp_path / "narrow.bmp"), rounded)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_one_channel_and_three_equal_ones_are_the_same_gray(tmp_path, kind):
    gray = samples(1, kind, (16, 16))
    eight_bits = gray if kind == np.uint8 else np.rint(gray / 257).astype(np.uint8)
    for name, pixels in {"one": gray, "three": np.repeat(gray, 3, axis=2)}.items():
        write_image(tmp_path / name / "a.png", pixels)
        (patch,) = training_patches(tmp_path / name, 16, channels=1)
        np.testing.assert_array_equal(patch, eight_bits)
        (patch,) = training_patches(tmp_path / name, 16, channels=3)
        np.testing.assert_array_equal(patch, np.repeat(eight_bits, 3, axis=2))
        assert MeasuredNoise([read_image(tmp_path / name / "a.png")]).in_gray
        denoise(tmp_path / name / "a.png", tmp_path / f"{name}.png", channels=1)
        np.testing.assert_array_equal(read_image(tmp_path / f"{name}.png"), pixels)
    colored = np.repeat(gray, 3, axis=2)
    colored[-1, -1, 0] ^= 1
    assert not MeasuredNoise([colored]).in_gray


def test_a_folder_holds_the_same_files_in_the_same_order(tmp_path):
    names = ["img10.png", "img2.PNG", "img1.JPG", "deep/img3.TIF", "deep/img20.WebP"]
    for name in names:
        write_image(tmp_path / name, samples())
    (tmp_path / "notes.md").touch()
    (tmp_path / ".hidden.png").touch()
    trained = [file for (file,) in ImageFolder(tmp_path).images()]
    denoised = [job.source for job in plan_images([str(tmp_path)], "out", recursive=True)]
    expected = ["deep/img3.TIF", "deep/img20.WebP", "img1.JPG", "img2.PNG", "img10.png"]
    assert trained == denoised == [tmp_path / name for name in expected]
