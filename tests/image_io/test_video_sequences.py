"""Videos for training and evaluation are found wherever they are, and read in order."""

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.image_io import UnreadableImageError, list_sequences
from mallenet_tf.image_io.video_reader import UnreadableVideoError
from tests.helpers.video_clips import moving_frames, write_folder, write_y4m


def test_folders_of_frames_are_in_natural_order(tmp_path):
    frames = moving_frames(4, 9, 11)
    write_folder(tmp_path / "scene", frames)
    (sequence,) = list_sequences(tmp_path)
    assert [path.name for path in sequence.images] == [f"frame{n}.png" for n in (8, 9, 10, 11)]
    np.testing.assert_array_equal(list(sequence.read()), frames)
    gray = [np.asarray(Image.fromarray(frame).convert("L"))[..., None] for frame in frames]
    np.testing.assert_array_equal(list(sequence.read(1)), gray)


def test_videos_and_folders_are_found_wherever_they_are(tmp_path):
    clip = tmp_path / "clip.y4m"
    write_y4m(clip, np.full((12, 20, 30), 100, np.uint8))
    for name in ("b/scene10", "b/scene2", "a"):
        write_folder(tmp_path / name, moving_frames(2, 8, 8))
    clip.rename(tmp_path / "b" / "clip.y4m")
    (tmp_path / "b" / ".hidden.y4m").write_bytes(b"")
    (tmp_path / "b" / "notes.txt").write_text("no video")
    found = [str(one.path.relative_to(tmp_path)) for one in list_sequences([tmp_path, tmp_path])]
    assert found == ["a", "b/clip.y4m", "b/scene2", "b/scene10"]
    (one,) = list_sequences(str(tmp_path / "*" / "scene2" / "*8.png"))
    assert len(one.images) == 1
    (clip_again,) = list_sequences(tmp_path / "b" / "clip.y4m")
    assert sum(1 for _ in clip_again.read(1)) == 12


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"No image or video files \(.*mp4.*png.*Received: "
    ):
        list_sequences(tmp_path)


def test_frames_of_several_sizes_are_refused(tmp_path):
    write_folder(tmp_path / "scene", moving_frames(3, 8, 10))
    Image.new("RGB", (10, 9)).save(tmp_path / "scene" / "frame9.png")
    (sequence,) = list_sequences(tmp_path)
    with pytest.raises(UnreadableVideoError, match=r"frame8.png 10 x 8, .*frame9.png 10 x 9$"):
        list(sequence.read())


def test_a_broken_frame_is_named(tmp_path):
    write_folder(tmp_path / "scene", moving_frames(2, 8, 8))
    (tmp_path / "scene" / "frame9.png").write_bytes(b"rubbish")
    with pytest.raises(UnreadableImageError, match="frame9.png"):
        list(list_sequences(tmp_path)[0].read())
