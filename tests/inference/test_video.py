"""Denoising clips: every frame, in order, from the right neighbors."""

import numpy as np
import pytest

from mallenet_tf.inference import Denoiser, video
from tests.helpers.blend import Blend, blended
from tests.helpers.video_clips import moving_frames


@pytest.fixture
def frames():
    return moving_frames(7, 40, 50)


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("count", range(1, 8))
def test_windows_are_reflected_at_the_ends(count, size):
    reach = size // 2
    padded = np.pad(np.arange(count), reach, mode="reflect")
    expected = np.lib.stride_tricks.sliding_window_view(padded, size)
    np.testing.assert_array_equal(list(video.windows(range(count), size)), expected)


def test_windows_read_no_further_than_they_must():
    read = []

    def source():
        for number in range(100):
            read.append(number)
            yield number

    made = video.windows(source(), 5)
    for center in range(20):
        assert next(made)[2] == center
        assert read[-1] == center + 2


def test_a_network_sees_the_frames_around_each_and_answers_for_the_middle(frames):
    results = video.denoise_frames(frames, Denoiser(Blend(), tile=0))
    before, after = zip(*results, strict=True)
    np.testing.assert_array_equal(before, frames)
    np.testing.assert_allclose(np.stack(after).astype(float), blended(frames), atol=1)


def test_gray_and_color_networks_take_both_kinds_of_frames(frames):
    gray = Denoiser(Blend(image_channels=1))
    color = Denoiser(Blend())
    one, other = (
        np.stack([after for _, after in video.denoise_frames(clip, network)])
        for clip, network in ((frames, gray), (frames[..., :1], color))
    )
    np.testing.assert_allclose(one.astype(float), blended(frames), atol=1)
    np.testing.assert_allclose(other.astype(float), blended(frames)[..., :1], atol=1)


def test_strength_blends_with_the_middle_frame(frames):
    kept = video.denoise_frames(frames, Denoiser(Blend(), strength=0.0))
    for noisy, result in kept:
        np.testing.assert_array_equal(result, noisy)


def test_tiles_make_no_difference():
    clip = moving_frames(3, 150, 290)
    whole, tiled = (
        [after for _, after in video.denoise_frames(clip, Denoiser(Blend(), tile=tile))]
        for tile in (0, 192)
    )
    np.testing.assert_allclose(np.stack(whole).astype(float), tiled, atol=1)  # rounded once more
