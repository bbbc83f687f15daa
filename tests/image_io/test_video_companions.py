"""What a video holds beside its frames is in the result, or said before the work."""

import re

import av
import numpy as np
import pytest

from mallenet_tf.image_io.frame_folders import frame_folder_writer
from mallenet_tf.image_io.video_reader import VideoFileReader
from mallenet_tf.image_io.video_writer import open_video_writer
from tests.helpers.blend import frames_of
from tests.helpers.video_clips import encode, encode_with_companions, moving_frames


def copied(source, target):
    """Writes the frames as they are; returns the reader and the writer."""
    reader = VideoFileReader(source)
    frames = list(reader.frames())
    with open_video_writer(target, frames[0].shape, reader) as writer:
        for frame in frames:
            writer.write(frame)
    return reader, writer


def packets(container, kind):
    (stream,) = [stream for stream in container.streams if stream.type == kind]
    return [packet for packet in container.demux(stream) if packet.size]


@pytest.mark.parametrize(
    ("name", "subtitles", "target"),
    [("in.mp4", "mov_text", "out.mov"), ("in.mkv", "subrip", "out.mkv")],
)
def test_all_is_kept_where_the_format_holds_it(tmp_path, name, subtitles, target):
    clip = moving_frames(20, 32, 48)
    said = encode_with_companions(tmp_path / name, clip, subtitles)
    reader, writer = copied(tmp_path / name, tmp_path / target)
    assert (reader.warnings, writer.warnings, reader.damage) == ([], [], None)
    with av.open(str(tmp_path / name)) as before, av.open(str(tmp_path / target)) as after:
        assert after.streams[0].type == "video"
        assert after.metadata["title"] == "Ferien"
        assert after.metadata["creation_time"].startswith("2020-05-06T07:08:09")
        chapters = after.chapters()
        assert [chapter["metadata"]["title"] for chapter in chapters] == ["Tag", "Tag"]
        assert float(chapters[1]["start"] * chapters[1]["time_base"]) == pytest.approx(0.04)
        for kind in ("audio", "subtitle"):
            old, new = packets(before, kind), packets(after, kind)
            assert [bytes(packet) for packet in new] == [bytes(packet) for packet in old]
            times = [[float(p.pts * p.time_base) for p in given] for given in (old, new)]
            np.testing.assert_allclose(*times, atol=1.1e-3)
            before.seek(0)
            after.seek(0)
        assert said["audio"][3] in [bytes(packet) for packet in packets(after, "audio")]
        if target.endswith("mkv"):
            assert after.streams.audio[0].metadata["language"] == "deu"


def test_what_the_format_cannot_hold_is_said_and_the_rest_kept(tmp_path):
    encode_with_companions(tmp_path / "in.mkv", moving_frames(3, 32, 48), "subrip")
    _, writer = copied(tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert writer.warnings == ["mp4 cannot hold subtitles (srt)"]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert len(container.streams.audio) == 1 and container.metadata["title"] == "Ferien"
    reader = VideoFileReader(tmp_path / "in.mkv")
    folder = frame_folder_writer(tmp_path / "frames", reader, 3, overwrite=False)
    for what in ("sound (aac)", "subtitles (srt)", "chapters", "title", "creation_time"):
        assert f"a folder of frames cannot hold {what}" in folder.warnings


@pytest.mark.parametrize(("target", "most"), [("out.mkv", 1.0), ("out.mp4", 6.0)])
def test_ten_bits_stay_ten_bits(tmp_path, target, most):
    """A ramp finer than 8 bits has as many values in the result as in the input."""
    ramp = np.tile(np.linspace(9000, 11000, 256), (32, 1))
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 256, "gbrp10le"
        deep = np.repeat(ramp[..., None], 3, 2).astype(np.uint16)
        frame = av.VideoFrame.from_ndarray(deep, format="rgb48le").reformat(format="gbrp10le")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    reader, writer = copied(path, tmp_path / target)
    assert (reader.bits, reader.warnings, writer.warnings) == (10, [], [])
    before, after = frames_of(path), frames_of(tmp_path / target)
    assert after.dtype == np.uint16
    assert len(np.unique(before)) > 30
    np.testing.assert_allclose(after.astype(float), before, atol=most * 65535 / 1023)
    assert np.ptp(np.diff(after[0, 16, :, 1].astype(float))) < 257  # No steps of 8 bits.


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"),
    [
        (".mp4", "libx264", "yuv420p"),
        (".mkv", "mjpeg", "yuvj420p"),
        (".ts", "mpeg2video", "yuv420p"),
        (".avi", "mjpeg", "yuvj420p"),
    ],
)
def test_damaged_files_give_what_can_be_read(tmp_path, suffix, codec, pix_fmt):
    path = tmp_path / f"clip{suffix}"
    encode(path, moving_frames(60, 32, 48), codec, pix_fmt)
    whole = VideoFileReader(path)
    assert len(list(whole.frames())) == 60 and whole.damage is None
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(2000) + content[middle + 2000 :])
    damaged = VideoFileReader(path)
    read = list(damaged.frames())
    assert 40 < len(read) <= 60 and len(damaged.times) == len(read)
    assert "frames are damaged or missing" in damaged.damage


@pytest.mark.parametrize(
    ("suffix", "said"), [(".mkv", "ends early, after 1.* of 2.4 seconds"), (".avi", "missing")]
)
def test_a_file_that_ends_early_says_so(tmp_path, suffix, said):
    path = tmp_path / f"clip{suffix}"
    encode(path, moving_frames(60, 32, 48), "mjpeg", "yuvj420p")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    half = VideoFileReader(path)
    assert 20 < len(list(half.frames())) < 40
    assert re.search(said, half.damage)
