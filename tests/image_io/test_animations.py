"""Animated GIF, WebP and PNG files: all frames, their times, what is transparent."""

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.image_io.animations import AnimationReader, is_animation, open_animation_writer
from mallenet_tf.image_io.video_reader import UnreadableVideoError
from tests.helpers.video_clips import moving_frames

DURATIONS = [40, 200, 120, 80]


def save(path, frames, **options):
    images = [Image.fromarray(frame) for frame in frames]
    times = {"duration": DURATIONS, "loop": 3}
    images[0].save(path, save_all=True, append_images=images[1:], **times, **options)


@pytest.fixture
def frames():
    opaque = moving_frames(4, 20, 30)
    alpha = np.full((4, 20, 30, 1), 255, np.uint8)
    alpha[:, :5] = 0
    return np.concatenate([opaque, alpha], -1)


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".apng"])
def test_an_animation_keeps_frames_times_and_alpha(tmp_path, frames, suffix, transparent):
    clip = frames if transparent else frames[..., :3]
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    save(source, clip, **({"lossless": True} if suffix == ".webp" else {}))
    assert is_animation(source)
    reader = AnimationReader(source)
    before = list(reader.frames_with_alpha())
    assert reader.times == [0, 40, 240, 360] and reader.damage is None
    with open_animation_writer(target, reader) as writer:
        for frame in reader.frames():
            writer.write(frame)
    assert writer.warnings == (["GIF holds 256 colors a frame"] if suffix == ".gif" else [])
    with Image.open(target) as image:
        assert (image.n_frames, image.info["loop"]) == (4, 3)
    again = AnimationReader(target)
    after = list(again.frames_with_alpha())
    assert again.durations == DURATIONS
    np.testing.assert_array_equal(np.stack(after)[..., 3], np.stack(before)[..., 3])
    visible = np.stack(before)[..., 3] > 0
    difference = np.abs(np.stack(after).astype(int) - np.stack(before))[visible]
    assert difference.mean() < (6 if suffix == ".gif" else 0.01)


def test_still_pictures_are_no_animations(tmp_path, frames):
    for name in ("a.png", "a.webp"):
        Image.fromarray(frames[0]).save(tmp_path / name)
        assert not is_animation(tmp_path / name)
    assert not is_animation(tmp_path / "none.png")


def test_a_damaged_animation_gives_what_can_be_read(tmp_path, frames):
    save(tmp_path / "a.png", frames)
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: len(content) * 5 // 8])
    reader = AnimationReader(tmp_path / "a.png")
    assert 1 <= len(list(reader.frames())) < 4
    assert "frames from number" in reader.damage
    save(tmp_path / "c.gif", frames)
    content = (tmp_path / "c.gif").read_bytes()
    (tmp_path / "c.gif").write_bytes(content[: len(content) // 2])
    half = AnimationReader(tmp_path / "c.gif")
    assert 1 <= len(list(half.frames())) < 4 and half.damage
    (tmp_path / "b.gif").write_bytes(b"GIF89a")
    with pytest.raises(UnreadableVideoError, match="Not a readable animation.*b.gif"):
        AnimationReader(tmp_path / "b.gif")
