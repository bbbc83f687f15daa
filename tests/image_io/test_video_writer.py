"""Video files: what they keep of the pixels' shape and colors."""

from fractions import Fraction

import av
import numpy as np
import pytest

from mallenet_tf.image_io.frame_folders import FrameFolderReader, frame_folder_writer
from mallenet_tf.image_io.video_reader import VideoFileReader
from mallenet_tf.image_io.video_writer import open_video_writer
from tests.helpers.blend import frames_of
from tests.helpers.video_clips import encode, moving_frames, write_folder


@pytest.mark.parametrize("aspect", [Fraction(64, 45), Fraction(1)])
@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ""])
def test_the_shape_of_pixels_is_kept_or_said(tmp_path, aspect, suffix):
    encode(tmp_path / "in.mp4", moving_frames(2, 32, 48), sample_aspect_ratio=aspect)
    reader, target = VideoFileReader(tmp_path / "in.mp4"), tmp_path / f"out{suffix}"
    frames = list(reader.frames())
    if suffix:
        with open_video_writer(target, frames[0].shape, reader) as writer:
            for frame in frames:
                writer.write(frame)
    else:
        writer = frame_folder_writer(target, reader, len(frames), overwrite=False)
    assert reader.warnings == []
    if suffix in (".mkv", ""):
        said = ["the pixel aspect ratio, 64:45, is not kept"]
        assert writer.warnings == (said if aspect != 1 else [])
        return
    assert writer.warnings == []
    with av.open(str(target)) as container:
        assert container.streams.video[0].sample_aspect_ratio == aspect


def test_colors_of_a_written_file_are_tagged(tmp_path):
    """The luma in the file is that of ITU-R BT.709, and the file says so."""
    clip = np.full((2, 32, 32, 3), (200, 40, 90), np.uint8)
    write_folder(tmp_path / "in", clip)
    source = FrameFolderReader(sorted((tmp_path / "in").iterdir()), Fraction(25))
    with open_video_writer(tmp_path / "out.mp4", (32, 32, 3), source) as target:
        for frame in clip:
            target.write(frame)
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (int(frame.colorspace), int(frame.color_range)) == (1, 1)
        luma = frame.to_ndarray()[:32]
    expected = 16 + 219 / 255 * (0.2126 * 200 + 0.7152 * 40 + 0.0722 * 90)
    np.testing.assert_allclose(luma, expected, atol=1.5)
    np.testing.assert_allclose(frames_of(tmp_path / "out.mp4"), clip, atol=4)
