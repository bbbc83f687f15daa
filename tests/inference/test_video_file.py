"""Denoising videos from file to file: all frames and their times, and nothing left behind."""

import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import read_image
from mallenet_tf.image_io.frame_folders import FrameFolderReader
from mallenet_tf.image_io.video_reader import UnreadableVideoError, VideoFileReader, open_video
from mallenet_tf.image_io.video_writer import open_video_writer
from mallenet_tf.inference import Denoiser, estimate_sigma, video, video_file
from mallenet_tf.models import build_model
from tests.helpers.binaries import run_binary
from tests.helpers.blend import Blend, blended, frames_of
from tests.helpers.denoised_files import run, run_video
from tests.helpers.video_clips import everything_below, moving_frames, write_folder, write_y4m


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Files of networks: of three frames, of one, and of three with a noise level."""
    folder = tmp_path_factory.mktemp("weights")
    networks = {
        "three": Blend(trained_sigma=25.0),
        "one": Blend(1, trained_sigma=25.0),
        "told": Blend(3, first=0.0, level=0.0, noise_conditioned=True),
        "level": Blend(1, level=1.0, noise_conditioned=True),
    }
    for name, network in networks.items():
        network.save(folder / f"{name}.keras")
    return {name: folder / f"{name}.keras" for name in networks}


@pytest.fixture
def frames():
    return moving_frames(7, 40, 50)


def test_a_network_for_video_refuses_single_images(weights, frames, tmp_path):
    with pytest.raises(ValueError, match="denoises videos, 3 frames at once"):
        Denoiser(Blend())(frames[0])
    write_folder(tmp_path / "in", frames)
    with pytest.raises(UserError, match="--video takes a folder for one"):
        run([str(tmp_path / "in")], str(tmp_path / "out"), weights["three"])


def test_a_folder_of_frames(weights, frames, tmp_path, capsys):
    names = [path.name for path in write_folder(tmp_path / "in", frames)]
    assert run([str(tmp_path / "in")], str(tmp_path / "out"), weights["three"], video=True) == 0
    assert sorted(everything_below(tmp_path / "out")) == sorted(names)
    written = np.stack([read_image(tmp_path / "out" / name) for name in names])
    np.testing.assert_allclose(written.astype(float), blended(frames), atol=1)
    printed = capsys.readouterr().out
    assert "7 frames  50 x 40" in printed and "sigma 25 (fixed)" in printed


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
@pytest.mark.parametrize("height", [40, 41])
def test_a_video_file_keeps_frames_size_and_times(weights, tmp_path, name, height):
    clip = moving_frames(5, height, 50)
    rate = Fraction(30000, 1001)
    write_folder(tmp_path / "in", clip)
    source = FrameFolderReader(sorted((tmp_path / "in").iterdir()), rate)
    with open_video_writer(tmp_path / "in.mp4", clip.shape[1:], source) as target:
        for frame in clip:
            target.write(frame)
    before = frames_of(tmp_path / "in.mp4")
    assert np.abs(before.astype(float) - clip).mean() < 3
    run_video([str(tmp_path / "in.mp4")], str(tmp_path / "out" / name), weights["three"])
    after = frames_of(tmp_path / "out" / name)
    assert after.shape == before.shape
    difference = np.abs(after - blended(before))
    # The next frame's result differs by far more: order and neighbors are right.
    assert difference.mean() < 3 < np.abs(np.roll(after, 1, 0) - blended(before)).mean()
    with open_video(tmp_path / "in.mp4") as one, open_video(tmp_path / "out" / name) as other:
        assert float(other.rate) == pytest.approx(float(one.rate), rel=1e-4)
        times = [[float(t * v.time_base) for t, _ in v] for v in (one, other)]
    np.testing.assert_allclose(times[0], times[1], atol=6e-4)  # Matroska counts milliseconds
    assert everything_below(tmp_path / "out") == [name]


def test_lossless_output_holds_what_the_network_says(weights, frames, tmp_path):
    write_folder(tmp_path / "in", frames)
    run_video([str(tmp_path / "in")], str(tmp_path / "out.mkv"), weights["three"], frame_rate=24)
    np.testing.assert_allclose(frames_of(tmp_path / "out.mkv"), blended(frames), atol=1)
    assert VideoFileReader(tmp_path / "out.mkv").rate == 24


@pytest.mark.parametrize("output", ["out", "clean.v2/"])
def test_frames_of_a_video_file_into_a_folder(weights, tmp_path, output):
    write_y4m(tmp_path / "in.y4m", np.full((3, 32, 40), 100, np.uint8))
    run_video([str(tmp_path / "in.y4m")], f"{tmp_path}/{output}", weights["one"])
    assert everything_below(tmp_path / output) == [f"00000{n}.png" for n in (1, 2, 3)]
    expected = round((100 - 16) * 255 / 219)
    assert abs(int(read_image(tmp_path / output / "000002.png")[5, 5, 0]) - expected) <= 1


def test_the_noise_level_is_one_for_the_clip(weights, tmp_path, capsys):
    random = np.random.default_rng(0)
    sigmas = [5, 30, 20, 20, 20]
    clip = [
        np.clip(128 + random.normal(0, s, (64, 64, 3)), 0, 255).astype(np.uint8) for s in sigmas
    ]
    write_folder(tmp_path / "in", np.stack(clip))
    arguments = ([str(tmp_path / "in")], str(tmp_path / "out"), weights["level"])
    run(*arguments, video=True, json=True)
    (summary,) = json.loads(capsys.readouterr().out)["files"]
    assert summary["sigma"] == np.median([estimate_sigma(frame) for frame in clip])
    assert (summary["frames"], summary["width"], summary["height"]) == (5, 64, 64)
    for path, frame in zip(sorted((tmp_path / "out").iterdir()), sorted_like(clip), strict=True):
        raised = np.clip(frame + summary["sigma"], 0, 255)
        np.testing.assert_allclose(read_image(path), raised, atol=1)


def sorted_like(clip):
    """frame8, frame9, frame10 ... in the alphabetical order of a folder's listing."""
    names = [f"frame{number}.png" for number in range(8, 8 + len(clip))]
    return [frame for _, frame in sorted(zip(names, clip, strict=True), key=lambda pair: pair[0])]


def test_a_sample_of_frames_is_spread_over_the_clip():
    clip = np.zeros((100, 1, 2, 3), np.uint8) + np.arange(100, dtype=np.uint8)[:, None, None, None]
    found = video.survey(clip, "clip")
    assert found.count == 100
    chosen = [int(sample[0, 0, 0]) for sample in found.samples]
    assert 4 <= len(chosen) <= video.MOST_SAMPLES
    assert len(set(np.diff(chosen))) == 1 and chosen[-1] >= 75


def test_a_run_that_was_stopped_goes_on(weights, frames, tmp_path, capsys):
    write_folder(tmp_path / "in", frames)
    arguments = ([str(tmp_path / "in")], str(tmp_path / "out"), weights["three"])
    run(*arguments, video=True, temporal_profile=3)
    picture = read_image(tmp_path / "out.temporal_profile.png")
    there = tmp_path / "out" / "frame9.png"
    content = there.read_bytes()
    (tmp_path / "out" / "frame10.png").unlink()
    Image.new("RGB", (50, 40)).save(tmp_path / "out" / "frame12.png")
    run(*arguments, video=True)
    assert "1 frames in" in (out := capsys.readouterr().out) and "6 were there" in out
    assert there.read_bytes() == content
    assert read_image(tmp_path / "out" / "frame12.png").max() == 0
    run(*arguments, video=True, overwrite=True, temporal_profile=3)
    assert read_image(tmp_path / "out" / "frame12.png").max() > 0
    np.testing.assert_array_equal(read_image(tmp_path / "out.temporal_profile.png"), picture)


def test_the_temporal_profile_shows_a_row_over_time(weights, frames, tmp_path):
    write_folder(tmp_path / "in", frames)
    run_video([str(tmp_path / "in")], str(tmp_path / "out"), weights["three"], temporal_profile=17)
    picture = read_image(tmp_path / "out.temporal_profile.png")
    np.testing.assert_array_equal(picture[-7:, :50], frames[:, 17])
    np.testing.assert_allclose(picture[-7:, -50:].astype(float), blended(frames)[:, 17], atol=1)


def test_frames_keep_their_depth_and_alpha(weights, tmp_path):
    from mallenet_tf.image_io import read_picture, write_picture
    from mallenet_tf.image_io.picture import Picture

    random = np.random.default_rng(0)
    clip = random.integers(0, 65536, (3, 32, 32, 4), dtype=np.uint16)
    for number, frame in enumerate(clip):
        write_picture(tmp_path / "in" / f"{number}.png", Picture(frame))
    run_video([str(tmp_path / "in")], str(tmp_path / "out"), weights["one"])
    written = [read_picture(tmp_path / "out" / f"{number}.png").samples for number in range(3)]
    np.testing.assert_allclose(np.stack(written).astype(float), clip, atol=1)


@pytest.mark.parametrize(
    ("network", "output", "options", "message"),
    [
        (
            "three",
            "out",
            {"temporal_profile": 40},
            r"rows 0 to 39. Received: --temporal_profile=40",
        ),
        ("three", "out.mp4", {}, "--frame_rate=25. Received: --output=.*out.mp4"),
        ("three", "out.mp4", {"frame_rate": -1}, "at most 1000. Received: --frame_rate=-1"),
        ("three", "out.avi", {"frame_rate": 9}, "written as .mp4 .*Received: --output=.*out.avi"),
        ("three", "in", {}, "would replace the frames"),
        ("three", "old.mp4", {"frame_rate": 9}, "--overwrite replaces it. Received: .*old.mp4"),
        ("three", "out", {"sigma": 9.0}, "takes no sigma"),
        ("told", "out", {"sigma": 999.0}, "8-bit units, 0 to 255"),
    ],
)
def test_mistakes_are_said_and_leave_nothing(
    weights, frames, tmp_path, network, output, options, message
):
    write_folder(tmp_path / "in", frames)
    (tmp_path / "old.mp4").write_bytes(b"precious")
    before = everything_below(tmp_path)
    with pytest.raises((UserError, ValueError), match=message):
        run_video([str(tmp_path / "in")], str(tmp_path / output), weights[network], **options)
    assert everything_below(tmp_path) == before
    assert (tmp_path / "old.mp4").read_bytes() == b"precious"


def test_videos_that_cannot_be_denoised(weights, frames, tmp_path):
    (tmp_path / "empty").mkdir()
    write_folder(tmp_path / "mixed", frames)
    Image.new("RGB", (50, 41)).save(tmp_path / "mixed" / "frame9.png")
    write_folder(tmp_path / "broken", frames)
    (tmp_path / "broken" / "frame9.png").write_bytes(b"rubbish")
    write_folder(tmp_path / "single", frames[:1])
    (tmp_path / "broken.mp4").write_bytes(b"rubbish" * 99)
    (tmp_path / "photo.png").write_bytes(b"")
    before = everything_below(tmp_path)
    for source, kind, message in (
        ("empty", UserError, "No images in this folder, .*empty"),
        ("mixed", UserError, r"frame 1 50 x 40 RGB uint8, frame 2 50 x 41 RGB uint8 in .*mixed"),
        ("broken", UserError, "frame9.png"),
        ("single", UserError, "from 3 around it, and the video has a single one.*single"),
        ("broken.mp4", UnreadableVideoError, "Not a readable video.*broken.mp4"),
        ("none.mp4", FileNotFoundError, "No such file. Received: .*none.mp4"),
        ("photo.png", UserError, "a video file .*Received: .*photo.png"),
    ):
        with pytest.raises(kind, match=message):
            run_video([str(tmp_path / source)], str(tmp_path / "out"), weights["three"])
    assert everything_below(tmp_path) == before
    run_video([str(tmp_path / "single")], str(tmp_path / "out"), weights["one"])
    assert everything_below(tmp_path / "out") == ["frame8.png"]


def test_a_failure_in_the_middle_leaves_no_file(weights, frames, tmp_path, monkeypatch):
    write_folder(tmp_path / "in", frames)

    def failing(*arguments):
        yield frames[0], frames[0]
        raise OSError("the disk is gone")

    monkeypatch.setattr(video_file, "denoise_frames", failing)
    before = everything_below(tmp_path)
    with pytest.raises(OSError, match="the disk is gone"):
        run_video(
            [str(tmp_path / "in")], str(tmp_path / "out.mp4"), weights["three"], frame_rate=25
        )
    assert everything_below(tmp_path) == before


def test_the_binary_takes_a_folder_as_a_video(repository, frames, tmp_path):
    write_folder(tmp_path / "in", frames)
    build_model("dncnn", depth=3, width=4).save(tmp_path / "dncnn.keras")
    given = [tmp_path / "in", "--video", f"--weights={tmp_path / 'dncnn.keras'}"]
    done = run_binary(
        "denoise", repository, *given, f"--output={tmp_path / 'out.mkv'}", "--frame_rate=5"
    )
    assert done.returncode == 0, done.stderr
    assert "7 frames" in done.stdout
    assert len(frames_of(tmp_path / "out.mkv")) == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["clip.mp4", "--compare"], "--compare is not for a video. Received: --compare=True"),
        (["photos", "--frame_rate=25"], "--frame_rate is not for images; --video"),
    ],
)
def test_flags_of_the_other_kind_are_refused(repository, arguments, message):
    done = run_binary("denoise", repository, *arguments, "--output=out")
    assert done.returncode == 1 and message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
