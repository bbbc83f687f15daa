"""Without --weights: the shipped network for color, or for gray where an image shows no color."""

import numpy as np
import pytest

import mallenet_tf
from mallenet_tf.image_io import read_image, write_image
from mallenet_tf.image_io.pixels import is_gray
from tests.helpers.denoised_files import run, run_video

SIGMA = 25
RAMP = np.tile(np.linspace(40, 210, 96), (64, 1))[..., None]  # gray, [64, 96, 1]
COLORS = np.concatenate([RAMP, RAMP[:, ::-1], 255 - RAMP * 0.5], axis=2)


def noisy(clean, seed=0):
    noise = SIGMA * np.random.default_rng(seed).standard_normal(clean.shape)
    return np.rint(np.clip(clean + noise, 0, 255)).astype(np.uint8)


def psnr(clean, image):
    return 20 * np.log10(255) - 10 * np.log10(np.mean((clean - image.astype(float)) ** 2))


IMAGES = {
    "gray": (RAMP, noisy(RAMP)),
    "gray in three channels": (RAMP, np.repeat(noisy(RAMP), 3, axis=2)),
    "color": (COLORS, noisy(COLORS)),
}


@pytest.mark.parametrize("name", IMAGES)
def test_noise_of_gray_and_of_color_images_goes(name):
    clean, image = IMAGES[name]
    result = mallenet_tf.denoise_image(image, sigma=SIGMA)
    assert psnr(clean, image) < 21 and psnr(clean, result) > 34
    assert is_gray(result) == is_gray(image)


def test_a_folder_may_hold_both(tmp_path, capsys):
    for name, (_, image) in IMAGES.items():
        write_image(tmp_path / "in" / f"{name}.png", image)
    out = tmp_path / "out"
    assert run([str(tmp_path / "in")], str(out), sigma=SIGMA, max_memory="50%") == 0
    for name, (clean, image) in IMAGES.items():
        result = read_image(out / f"{name}.png")
        np.testing.assert_array_equal(result, mallenet_tf.denoise_image(image, sigma=SIGMA))
        assert psnr(clean, result) > 34


def test_a_video_is_gray_only_if_all_of_it_is(tmp_path, capsys):
    frames = [np.zeros((64, 96, 3), np.uint8), noisy(COLORS, 1)]  # black at first, as films are
    for name, clip in {"color": frames, "gray": [noisy(RAMP, 1), noisy(RAMP, 2)]}.items():
        for index, frame in enumerate(clip):
            write_image(tmp_path / name / f"{index}.png", frame)
        out = tmp_path / f"{name} out"
        run_video([str(tmp_path / name)], str(out), None, SIGMA)
        result = read_image(out / "1.png")
        assert psnr(COLORS if name == "color" else RAMP, result) > 34
        weights = f"mallenet_s_{'color' if name == 'color' else name}"
        np.testing.assert_array_equal(result, mallenet_tf.denoise_image(clip[1], SIGMA, weights))


@pytest.mark.parametrize(
    "pixels, gray",
    [
        (np.zeros((3, 4)), True),
        (np.zeros((3, 4, 1)), True),
        (np.zeros((600, 4, 3), np.uint8), True),
        (np.eye(3), True),
        (np.pad(np.ones((1, 1, 1), np.uint16), ((599, 0), (3, 0), (2, 0))), False),
    ],
)
def test_what_is_gray(pixels, gray):
    assert is_gray(pixels) == gray
