"""The side-by-side picture shows the three images unchanged, in order, below their labels."""

import numpy as np
import pytest

from mallenet_tf.evaluation import side_by_side
from mallenet_tf.image_io import quantize


def images(channels=3):
    random = np.random.default_rng(0)
    clean = random.integers(0, 256, (40, 60, channels), dtype=np.uint8)
    noisy = (clean / 255.0 + random.normal(0, 0.1, clean.shape)).astype(np.float32)
    return noisy, quantize(0.9 * noisy), clean


@pytest.mark.parametrize("channels", [1, 3])
def test_panels_hold_the_images(channels):
    noisy, denoised, clean = images(channels)
    picture = side_by_side(noisy, denoised, clean)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    height, width = clean.shape[:2]
    shown = picture[-height:]
    gap = (picture.shape[1] - 3 * width) // 2
    for index, image in enumerate((quantize(noisy), denoised, clean)):
        left = index * (width + gap)
        panel = shown[:, left : left + width]
        np.testing.assert_array_equal(panel, np.broadcast_to(image, panel.shape))


def test_labels_are_drawn_above_the_panels():
    noisy, denoised, clean = images()
    picture = side_by_side(noisy, denoised, clean)
    banner = picture[: picture.shape[0] - 40]
    assert (banner < 128).any()


def test_zoom_adds_the_enlarged_square():
    noisy, denoised, clean = images()
    plain = side_by_side(noisy, denoised, clean)
    zoomed = side_by_side(noisy, denoised, clean, zoom=(10, 20, 12))
    assert zoomed.shape[0] > plain.shape[0] + 60
    enlarged = zoomed[-60:, -60:]
    np.testing.assert_array_equal(enlarged[2::5, 2::5], clean[10:22, 20:32])


def test_zoom_outside_the_image_is_refused():
    with pytest.raises(ValueError, match=r"Received: zoom=\(35, 0, 10\)"):
        side_by_side(*images(), zoom=(35, 0, 10))
