"""Folders of frames: read in natural order, and written with the names and metadata they had."""

from fractions import Fraction

import numpy as np
import pytest

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import read_picture, write_picture
from mallenet_tf.image_io.frame_folders import FrameFolderReader, frame_folder_writer
from mallenet_tf.image_io.picture import Metadata, Picture
from mallenet_tf.image_io.video_reader import VideoFileReader
from tests.helpers.video_clips import moving_frames, write_folder, write_y4m


@pytest.fixture
def frames():
    return moving_frames(4, 9, 11)


@pytest.fixture
def reader(tmp_path, frames):
    return FrameFolderReader(write_folder(tmp_path / "in", frames)[::-1], Fraction(24))


def test_frames_are_read_in_natural_order_at_even_times(reader, frames):
    for _ in range(2):  # from the first each time
        np.testing.assert_array_equal(list(reader.frames()), frames)
    assert reader.times == [0, 1, 2, 3] and reader.time_base == Fraction(1, 24)


def test_frames_keep_their_names_alpha_and_metadata(tmp_path, frames):
    alpha = np.full((9, 11, 1), 7, np.uint8)
    for name, frame in zip(("2.png", "10.png"), frames, strict=False):
        picture = Picture(np.dstack([frame, alpha]), metadata=Metadata(dpi=(200.0, 200.0)))
        write_picture(tmp_path / "in" / name, picture)
    reader = FrameFolderReader(list((tmp_path / "in").iterdir()))
    writer = frame_folder_writer(tmp_path / "out", reader, 2, overwrite=False)
    assert writer.done == [False, False]
    for frame in reader.frames():
        writer.write(255 - frame)
    for name, frame in zip(("2.png", "10.png"), frames, strict=False):
        found = read_picture(tmp_path / "out" / name)
        np.testing.assert_array_equal(found.pixels, 255 - frame)
        np.testing.assert_array_equal(found.samples[..., 3:], alpha)
        assert found.metadata.dpi == pytest.approx((200, 200), abs=0.01)


def test_frames_that_are_there_are_done(reader, frames, tmp_path):
    write_folder(tmp_path / "out", frames[:2])
    writer = frame_folder_writer(tmp_path / "out", reader, 4, overwrite=False)
    assert writer.done == [True, True, False, False]
    writer.write(frames[2])
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "frame10.png",
        "frame8.png",
        "frame9.png",
    ]
    assert not any(frame_folder_writer(tmp_path / "out", reader, 4, overwrite=True).done)


def test_frames_of_a_video_file_are_numbered_from_one(tmp_path):
    write_y4m(tmp_path / "in.y4m", np.full((2, 9, 11), 100, np.uint8))
    reader = VideoFileReader(tmp_path / "in.y4m")
    writer = frame_folder_writer(tmp_path / "out", reader, 2, overwrite=False)
    for frame in reader.frames():
        writer.write(frame)
    written = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert written == ["000001.png", "000002.png"]


def test_the_frames_themselves_are_replaced_only_on_request(reader, tmp_path):
    with pytest.raises(UserError, match="would replace the frames.*Received: --output=.*in"):
        frame_folder_writer(tmp_path / "in", reader, 4, overwrite=False)
    assert len(frame_folder_writer(tmp_path / "in", reader, 4, overwrite=True).files) == 4
