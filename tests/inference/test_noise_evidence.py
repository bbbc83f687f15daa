"""Pages, charts and gradients come back unchanged by default; noise is still found."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import mallenet_tf
from mallenet_tf.inference.noise_evidence import is_free_of_noise, quiet_level
from mallenet_tf.inference.noise_level import MeasuredNoise

SIZES = ((160, 120), (640, 480))


def page(size, paper=(255, 255, 255), ink=(0, 0, 0), smooth=True, height=12):
    """Draws lines of text."""
    image = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "L" if smooth else "1"
    font = ImageFont.load_default(height)
    for top in range(0, size[1], height + 4):
        draw.text((4, top), "The quick brown fox jumps over 0123456789 " * 4, ink, font)
    return np.array(image)


def chart(size):
    """Draws discs and thin lines."""
    image = Image.new("RGB", size, (240, 240, 240))
    draw = ImageDraw.Draw(image)
    for place in range(0, size[0], 40):
        draw.ellipse((place, 10, place + 90, 100), fill=(place % 256, (place * 3) % 256, 90))
        draw.line((place, 0, size[0] - place, size[1]), fill=(0, 0, 0))
    return np.array(image)


def gradient(size):
    return np.tile(np.linspace(0, 255, size[0]).astype(np.uint8)[None, :, None], (size[1], 1, 3))


def halftone(size):
    rows, columns = np.mgrid[: size[1], : size[0]]
    dots = np.sin(rows * 0.9) + np.sin(columns * 0.9) > np.linspace(-1.5, 1.5, size[0])
    return dots.astype(np.uint8)[..., None].repeat(3, 2) * 255


def dithered(size):
    gray = Image.fromarray(gradient(size)[..., 0])
    return np.asarray(gray.convert("1"), np.uint8)[..., None].repeat(3, 2) * 255


PAGES = {
    "dithered": dithered,
    "text": page,
    "large text": lambda size: page(size, height=40),
    "scan of one bit": lambda size: page(size, smooth=False),
    "dark screen": lambda size: page(size, (30, 32, 40), (220, 220, 200)),
    "colored paper": lambda size: page(size, (200, 220, 240), (40, 60, 160)),
    "chart": chart,
    "gradient": gradient,
    "halftone": halftone,
}


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("draw", PAGES.values(), ids=PAGES)
def test_no_noise_no_change(draw, size):
    image = draw(size)
    for pixels in (image, image[..., 0], image.astype(np.uint16) * 257, image / np.float32(255)):
        assert MeasuredNoise([pixels]).level == MeasuredNoise([pixels]).sigma == 0
    np.testing.assert_array_equal(mallenet_tf.denoise_image(image), image)


def test_a_sigma_denoises_a_page_all_the_same():
    image = page(SIZES[0])
    assert (mallenet_tf.denoise_image(image, sigma=15) != image).any()


@pytest.mark.parametrize("sigma", [2, 5, 25])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("draw", [chart, gradient])
def test_noise_is_found_on_what_had_none(draw, channels, sigma):
    clean = draw(SIZES[1])[..., :channels]
    noise = np.random.default_rng(0).normal(0, sigma, clean.shape)
    noisy = np.rint(np.clip(clean + noise, 0, 255)).astype(np.uint8)
    assert not is_free_of_noise(noisy)
    assert quiet_level(noisy) > 0.25 * sigma
    assert MeasuredNoise([noisy]).sigma > 0.75 * sigma


def test_strokes_of_a_compressed_page_are_not_taken_for_strong_noise():
    file = io.BytesIO()
    Image.fromarray(page(SIZES[1])).save(file, "JPEG", quality=92)
    image = np.array(Image.open(file))
    assert MeasuredNoise([image]).level < 3
    assert abs(mallenet_tf.denoise_image(image).astype(int) - image).mean() < 1


def test_without_a_whole_block_noise_is_not_ruled_out():
    assert not is_free_of_noise(np.zeros((7, 100), np.uint8))
    assert quiet_level(np.zeros((3, 2), np.uint8)) == 0
