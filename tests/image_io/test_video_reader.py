"""Videos: the right frames, in the right order and colors, with pixels of the right shape."""

import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.video_reader import UnreadableVideoError, open_video
from tests.helpers.video_clips import encode, moving_frames, write_y4m

# An identity as a movie header stores it, and a turn by 90 degrees clockwise: right becomes down.
UPRIGHT = np.array([0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000], ">u4").tobytes()
CLOCKWISE = np.array([0, 0x10000, 0, 0xFFFF0000, 0, 0, 0, 0, 0x40000000], ">u4").tobytes()


@pytest.fixture(scope="module")
def gray_clip(tmp_path_factory):
    """Twelve gray frames, and the file that holds them."""
    path = tmp_path_factory.mktemp("clip") / "clip.y4m"
    luma = 16 + moving_frames(12, 20, 30)[..., 0] % 220
    write_y4m(path, luma, Fraction(30000, 1001))
    return luma, path


def test_frames_come_decoded_in_order(gray_clip):
    luma, path = gray_clip
    with open_video(path) as video:
        assert (video.height, video.width) == (20, 30)
        assert video.rate == Fraction(30000, 1001)
        times, frames = zip(*video, strict=True)
    seconds = np.array([float(time * video.time_base) for time in times])
    np.testing.assert_allclose(seconds, np.arange(12) * 1001 / 30000, atol=1e-9)
    expected = np.clip((luma.astype(float) - 16) * 255 / 219, 0, 255)
    assert len(frames) == 12
    np.testing.assert_allclose(np.stack(frames), expected[..., None].repeat(3, 3), atol=1.01)


@pytest.mark.parametrize(("matrix", "weights"), [(1, (0.2126, 0.0722)), (5, (0.299, 0.114))])
@pytest.mark.parametrize("full_range", [False, True])
def test_colors_are_those_of_the_tags(tmp_path, matrix, weights, full_range):
    """A file of known luma and chroma, tagged; the colors follow from ITU-R BT.709 and BT.601."""
    kr, kb = weights
    colors = np.array([[200, 40, 30], [30, 180, 60], [40, 60, 210], [120, 120, 120]]) / 255
    luma = colors @ [kr, 1 - kr - kb, kb]
    chroma = np.stack([(colors[:, 2] - luma) / (2 - 2 * kb), (colors[:, 0] - luma) / (2 - 2 * kr)])
    scales = (255, 255, 0) if full_range else (219, 224, 16)
    planes = [scales[0] * luma + scales[2], *(scales[1] * chroma + 128)]
    yuv = np.rint(np.stack(planes)).astype(np.uint8)  # [3, colors]
    image = np.tile(yuv.repeat(16, 1)[:, None], (1, 32, 1))
    path = tmp_path / "colors.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 64, "yuv444p"
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full_range else 1
        frame = av.VideoFrame.from_ndarray(image, format="yuv444p")
        frame.colorspace, frame.color_range = matrix, 2 if full_range else 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_video(path) as video:
        ((_, decoded),) = video
    np.testing.assert_allclose(decoded[16, 8::16], colors * 255, atol=2.5)


def test_phone_videos_are_turned_upright(tmp_path):
    frames = moving_frames(3, 32, 48)
    encode(tmp_path / "clip.mp4", frames, sample_aspect_ratio=Fraction(64, 45))
    with open_video(tmp_path / "clip.mp4") as video:
        as_stored = [frame for _, frame in video]
    content = (tmp_path / "clip.mp4").read_bytes()
    place = content.rindex(UPRIGHT)  # the track's; the movie's comes first
    turned = content[:place] + CLOCKWISE + content[place + len(UPRIGHT) :]
    (tmp_path / "turned.mp4").write_bytes(turned)
    with open_video(tmp_path / "turned.mp4") as video:
        assert (video.height, video.width) == (48, 32)
        assert video.pixel_aspect == Fraction(45, 64)
        upright = [frame for _, frame in video]
    np.testing.assert_array_equal(upright, [np.rot90(frame, -1) for frame in as_stored])


def test_a_file_that_says_nothing_has_square_pixels(tmp_path):
    encode(tmp_path / "plain.mp4", moving_frames(2, 32, 48))
    with open_video(tmp_path / "plain.mp4") as video:
        assert video.pixel_aspect == 1


def test_frames_of_more_than_eight_bits_are_uint16(tmp_path):
    frames = moving_frames(2, 32, 32)
    encode(tmp_path / "deep.mkv", frames, "ffv1", "yuv444p10le")
    with open_video(tmp_path / "deep.mkv") as video:
        assert (video.bits, video.warnings) == (10, [])
        deep = np.stack([frame for _, frame in video])
    assert deep.dtype == np.uint16
    np.testing.assert_allclose(deep / 257.0, frames, atol=1.5)
    encode(tmp_path / "plain.mkv", frames, "ffv1", "bgr0")
    with open_video(tmp_path / "plain.mkv") as video:
        assert (video.bits, video.warnings) == (8, [])
        np.testing.assert_array_equal([frame for _, frame in video], frames)


def test_high_dynamic_range_is_refused(tmp_path):
    encode(tmp_path / "hdr.mkv", moving_frames(1, 32, 32), color_trc=16)
    with (
        pytest.raises(UnreadableVideoError, match=r"\(PQ\), which no network.*Received: .*hdr.mkv"),
        open_video(tmp_path / "hdr.mkv"),
    ):
        pass


def test_broken_files_are_named(tmp_path):
    encode(tmp_path / "whole.mp4", moving_frames(8, 32, 32))
    content = (tmp_path / "whole.mp4").read_bytes()
    for name, broken in (
        ("rubbish.mp4", b"rubbish" * 100),
        ("empty.mp4", b""),
        ("cut.mp4", content[: len(content) // 2]),
    ):
        (tmp_path / name).write_bytes(broken)
        reason = "the file is empty" if not broken else ""
        with (
            pytest.raises(UnreadableVideoError, match=f"Not a readable video: {reason}.*{name}"),
            open_video(tmp_path / name) as video,
        ):
            list(video)


def test_a_missing_file_is_named(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="No such file. Received: .*none.mp4"),
        open_video(tmp_path / "none.mp4"),
    ):
        pass


def test_without_the_decoder_the_command_that_installs_it_is_named(gray_clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with (
        pytest.raises(UserError, match=r"needs av.*pip install 'mallenet-tf\[video\]'"),
        open_video(gray_clip[1]),
    ):
        pass
