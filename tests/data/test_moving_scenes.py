"""Windows of video for training: one place in all frames, pure functions of their number."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mallenet_tf.common import srgb
from mallenet_tf.data import (
    FrameSequences,
    GaussianNoise,
    ImageFolder,
    Leaves,
    MovingScenes,
    PoissonGaussianNoise,
    SampleShape,
    Source,
    training_dataset,
    window_pair,
)
from mallenet_tf.data.random_numbers import RandomGenerator, sample_seed
from mallenet_tf.data.sources.moving_scenes import moving_window
from tests.helpers.video_clips import moving_frames, write_folder


@dataclasses.dataclass(frozen=True)
class Pictures(Source):
    """Smooth random images, made faster than leaves."""

    def describe(self):
        return "pictures"

    def sample_function(self, shape, seed):
        def sample(number):
            key = tf.stack([tf.constant(seed, tf.int64), number])
            coarse = tf.random.stateless_uniform([16, 16, shape.channels], key, maxval=255.0)
            return tf.cast(tf.image.resize(coarse, 2 * [shape.patch_size]), tf.uint8)

        return sample


SMALL = Pictures()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two videos whose pixels say where they are: red is x, green y, blue the time and which."""
    root = tmp_path_factory.mktemp("videos")
    for video, (count, height, width) in enumerate([(6, 20, 30), (4, 40, 16)]):
        frames = np.zeros((count, height, width, 3), np.uint8)
        frames[..., 0] = np.arange(width)
        frames[..., 1] = np.arange(height)[:, None]
        frames[..., 2] = (100 * video + np.arange(count))[:, None, None]
        write_folder(root / f"video{video}", frames)
    return root


def windows(source, count, patch_size=8, frames=3, channels=3, seed=5):
    drawn = source.samples(SampleShape(patch_size, channels, frames), seed)
    found = np.stack(list(drawn.take(count).as_numpy_iterator()))
    return found.reshape(count, patch_size, patch_size, frames, channels)


def samples(sources, count, **options):
    settings = {"batch_size": 4, "patch_size": 8, "seed": 3, "frames": 3, **options}
    noise = settings.pop("noise", GaussianNoise(25.0, conditioned=True))
    return list(training_dataset(sources, noise, **settings).take(count).as_numpy_iterator())


def test_every_frame_of_a_window_shows_the_same_place(folders):
    found = windows(FrameSequences(folders), 12)
    for window in found:
        top, left = window[0, 0, 0, 1], window[0, 0, 0, 0]
        for frame in np.moveaxis(window, 2, 0):
            np.testing.assert_array_equal(frame[..., 0], left + np.arange(8)[None].repeat(8, 0))
            np.testing.assert_array_equal(frame[..., 1], top + np.arange(8)[:, None].repeat(8, 1))
        times = window[0, 0, :, 2].astype(int)
        np.testing.assert_array_equal(np.diff(times), 1)
    corners = {tuple(window[0, 0, 0, :2]) for window in found}
    assert len(corners) > 8


def test_every_window_is_used_once_per_epoch(folders):
    starts = windows(FrameSequences(folders), 18)[:, 0, 0, 0, 2].reshape(3, 6)
    assert (np.sort(starts) == [0, 1, 2, 3, 100, 101]).all()
    assert not (starts[0] == starts[1]).all()


def test_a_step_takes_frames_further_apart(folders):
    found = windows(FrameSequences(folders / "video0", step=2), 8)[:, 0, 0, :, 2]
    np.testing.assert_array_equal(np.diff(found.astype(int)), 2)
    assert set(found[:, 0]) == {0, 1}


def test_frames_smaller_than_the_patch_are_mirrored(folders):
    (window,) = windows(FrameSequences(folders / "video1"), 1, patch_size=40)
    np.testing.assert_array_equal(window[0, :, 1, 0], np.r_[0:16, 15:-1:-1, 0:8])


def test_impossible_windows_are_refused(folders):
    with pytest.raises(ValueError, match="too few frames for samples of 5.*video1 with 4"):
        windows(FrameSequences(folders), 1, frames=5)
    with pytest.raises(ValueError, match="Received: max_memory=5000"):
        windows(FrameSequences(folders, max_memory=5000), 1)
    with pytest.raises(ValueError, match="Received: step=0"):
        FrameSequences(folders, step=0)
    with pytest.raises(FileNotFoundError, match="Received: 'nowhere'"):
        windows(FrameSequences("nowhere"), 1)


def test_inputs_are_the_noisy_frames_and_the_middle_one_is_clean(folders):
    source = FrameSequences(folders)
    ((inputs, clean),) = samples([source], 1, noise=GaussianNoise(0.0, conditioned=True))
    assert inputs.shape == (4, 8, 8, 10) and clean.shape == (4, 8, 8, 3)
    np.testing.assert_array_equal(inputs[..., 3:6], clean)
    times = np.rint(inputs[:, 0, 0, [2, 5, 8]] * 255)
    np.testing.assert_array_equal(np.diff(times), 1)
    ((noisy, again),) = samples([source], 1, batch_size=64)
    np.testing.assert_array_equal(again[:4], clean)
    assert (noisy[..., 3:6] - again).std() * 255 == pytest.approx(25, rel=0.03)
    assert np.abs(noisy[..., :3] - noisy[..., 3:6]).max() > 0.1


def test_starting_at_a_step_equals_skipping_and_workers_share_a_batch(folders):
    sources = [MovingScenes(SMALL, speed=(0, 1.5)), FrameSequences(folders, weight=0.5)]
    whole = samples(sources, 6)
    later = samples(sources, 2, start_step=4)
    parts = [samples(sources, 6, shard_index=index, shard_count=2) for index in range(2)]
    for item in (0, 1):
        np.testing.assert_array_equal([step[item] for step in whole[4:]], [s[item] for s in later])
        joined = [np.concatenate([part[step][item] for part in parts]) for step in range(6)]
        np.testing.assert_array_equal(joined, [step[item] for step in whole])
    clean = np.concatenate([step[1] for step in whole])
    assert len({image.tobytes() for image in clean}) == len(clean)


def test_another_seed_makes_other_samples(folders):
    one, other = (samples([FrameSequences(folders)], 1, seed=seed)[0] for seed in (3, 4))
    assert not np.array_equal(one[1], other[1])


def test_sources_of_single_images_are_refused_for_windows(folders):
    with pytest.raises(ValueError, match="takes 3 frames learns from videos.*ImageFolder"):
        samples([ImageFolder(folders)], 1)
    with pytest.raises(ValueError, match="middle frame. Received: frames=2"):
        samples([MovingScenes(SMALL)], 1, frames=2)


def test_a_network_for_images_learns_from_single_frames(folders):
    ((inputs, clean),) = samples([FrameSequences(folders)], 1, frames=1)
    assert inputs.shape == (4, 8, 8, 4) and clean.shape == (4, 8, 8, 3)


def displacement(first: np.ndarray, second: np.ndarray, most: int = 6) -> tuple[int, int]:
    """The whole-pixel motion (down, right) that explains the second image best."""
    height, width = first.shape[:2]
    inner = first[most : height - most, most : width - most].astype(float)
    errors = {}
    for down in range(-most, most + 1):
        for right in range(-most, most + 1):
            moved = second[most + down : height - most + down, most + right : width - most + right]
            errors[down, right] = np.abs(moved - inner).mean()
    return min(errors, key=lambda motion: errors[motion])


def test_layers_move_steadily_at_the_speed_that_is_asked_for():
    scenes = MovingScenes(SMALL, layers=1, speed=(3.0, 3.0))
    directions = set()
    for window in windows(scenes, 6, patch_size=40, frames=5):
        frames = np.moveaxis(window, 2, 0)
        # From the first frame to the last it is 12 pixels; 3 between neighbours, rounded.
        steps = [displacement(one, other) for one, other in zip(frames, frames[1:], strict=False)]
        assert np.hypot(*np.mean(steps, 0)) == pytest.approx(3, abs=0.6)
        assert np.ptp(steps, axis=0).max() <= 1
        directions.add(steps[0])
    assert len(directions) > 3


def test_leaves_are_set_in_motion_by_default():
    (window,) = windows(MovingScenes(Leaves(canvas_size=64, interleaved=1)), 1, patch_size=16)
    assert isinstance(MovingScenes().images, Leaves)
    assert not np.array_equal(window[:, :, 0], window[:, :, 1]) and window.std() > 3


@dataclasses.dataclass(frozen=True)
class Flat(Source):
    """Images of one value: even ones black, odd ones white."""

    def describe(self):
        return "flat"

    def sample_function(self, shape, seed):
        size = [shape.patch_size, shape.patch_size, shape.channels]
        return lambda number: tf.fill(size, tf.cast(255 * (number % 2), tf.uint8))


def test_objects_move_with_their_outline_before_the_background():
    found = windows(MovingScenes(Flat(), speed=(2.0, 2.0)), 12, patch_size=48, channels=1)
    shares = found.mean((1, 2, 3, 4)) / 255
    assert 0.2 < shares.mean() < 0.8
    edges = (found > 5) & (found < 250)
    assert edges.mean() < 0.2
    partly = [w for w, share in zip(found, shares, strict=True) if 0.25 < share < 0.75]
    for window in partly[:4]:
        motion = displacement(window[:, :, 0], window[:, :, 2])
        assert np.hypot(*motion) == pytest.approx(4, abs=1)


def test_without_motion_all_frames_are_equal():
    found = windows(MovingScenes(SMALL, layers=3, speed=(0.0, 0.0)), 3)
    np.testing.assert_array_equal(found, found[..., :1, :].repeat(3, 3))


def test_the_middle_frame_is_the_same_at_any_speed():
    still, slow, fast = (
        windows(MovingScenes(SMALL, speed=(speed, speed), room_for=3.0), 4)
        for speed in (0.0, 1.3, 3.0)
    )
    np.testing.assert_array_equal(slow[..., 1, :], still[..., 1, :])
    np.testing.assert_array_equal(fast[..., 1, :], still[..., 1, :])
    assert not np.array_equal(fast[..., 0, :], slow[..., 0, :])


def test_a_moving_image_is_itself_in_the_middle_and_shifted_by_whole_pixels():
    image = moving_frames(1, 24, 24)

    class Right(RandomGenerator):
        def unit_vectors(self, count):
            return tf.constant([[1.0, 0.0]])

    window = moving_window(Right(sample_seed(0, 0)), tf.constant(image), (2.0, 2.0), 12, 3).numpy()
    middle = image[0, 6:18, 6:18]
    np.testing.assert_array_equal(window[..., 3:6], middle)
    # What moves to the right was further left before.
    np.testing.assert_array_equal(window[..., 6:], image[0, 6:18, 4:16])
    np.testing.assert_array_equal(window[..., :3], image[0, 6:18, 8:20])


def test_impossible_scenes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Received: layers=0"):
        MovingScenes(layers=0)
    with pytest.raises(ValueError, match=r"Received: speed=\(3, 1\)"):
        MovingScenes(speed=(3, 1))
    with pytest.raises(ValueError, match="Received: room_for=1.0"):
        MovingScenes(room_for=1.0)
    Image.new("RGB", (60, 60)).save(tmp_path / "1_noisy.png")
    Image.new("RGB", (60, 60)).save(tmp_path / "1_clean.png")
    from mallenet_tf.data import PairFolder

    with pytest.raises(ValueError, match="not pairs. Received: images=PairFolder"):
        windows(MovingScenes(PairFolder(tmp_path)), 1)


def test_all_frames_have_one_noise_level_and_the_middle_one_s_is_told():
    window = tf.constant(np.random.default_rng(0).random((30, 20, 15), np.float32))
    seed = sample_seed(7, 1)
    noise = GaussianNoise((10.0, 60.0), conditioned=True)
    noisy, target = (image.numpy() for image in window_pair(noise, window, 5, seed))
    assert noisy.shape == (30, 20, 16)
    np.testing.assert_array_equal(target, window[..., 6:9])
    added = np.split(noisy[..., :-1] - window, 5, axis=-1)
    deviations = [np.std(noise) for noise in added]
    np.testing.assert_allclose(deviations, noisy[0, 0, -1], rtol=0.08)
    noise = PoissonGaussianNoise((1e-2, 1e-2), (2e-2, 2e-2), conditioned=True)
    noisy = window_pair(noise, window, 5, seed)[0].numpy()
    intensity = np.maximum(srgb.to_linear(noisy[..., 6:9], np), 0).mean(-1)
    np.testing.assert_allclose(noisy[..., -1], np.sqrt(4e-4 + 1e-2 * intensity), rtol=1e-3)
