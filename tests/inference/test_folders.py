"""Folders as people have them: what is not denoised is counted, odd names and links do no harm."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import read_image, write_image
from mallenet_tf.image_io.animations import is_animation
from mallenet_tf.inference import image_file
from mallenet_tf.inference.batch_plan import list_others, plan_jobs
from mallenet_tf.inference.options import Options
from tests.helpers.blend import Blend, frames_of
from tests.helpers.denoised_files import run
from tests.helpers.video_clips import encode, everything_below, moving_frames


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "one.keras"
    Blend(1, trained_sigma=25.0).save(path)
    return path


@pytest.fixture
def holiday(tmp_path):
    folder = tmp_path / "holiday"
    write_image(folder / "A.PNG", np.full((9, 11, 3), 100, np.uint8))
    for name in ("clip.mp4", "b.MOV", "c.mts", "d.nef.xmp", "e.PEF"):
        (folder / name).write_bytes(b"something")
    (folder / "video").write_bytes(bytes(4) + b"ftypisom" + bytes(20))
    (folder / "recording").write_bytes(b"\x1aE\xdf\xa3" + bytes(20))
    (folder / "sound").write_bytes(b"RIFF" + bytes(4) + b"WAVEfmt ")
    (folder / "no_suffix").write_bytes((folder / "A.PNG").read_bytes())
    (folder / ".hidden").touch()
    write_image(folder / "sub" / "f.png", np.zeros((9, 11, 3), np.uint8))
    return folder


def test_what_is_not_read_is_counted_by_kind(holiday, weights, tmp_path, capsys):
    assert run([str(holiday)], str(holiday / "out"), weights, json=True) == 0
    printed = capsys.readouterr()
    counted = {
        "videos": 5,
        "raw files": 1,
        "unknown": 2,
        "images with other suffixes": 1,
        "subfolders": 1,
    }
    assert json.loads(printed.out)["not_read"] == counted
    before, after = (line for line in printed.err.splitlines() if "not read" in line.lower())
    for line in (before, after):
        assert "5 videos" in line and "1 raw file," in line and "2 unknown" in line
    assert "--recursive searches" in before and "1 denoised, 0 skipped, 0 failed" in after


def test_results_of_an_earlier_run_are_not_counted(holiday, weights):
    out = holiday / "out"
    assert run([str(holiday)], str(out), weights, recursive=True) == 0
    others = list_others([str(holiday)], str(out), Options(recursive=True), [])
    assert out not in others and not [path for path in others if out in path.parents]


def test_videos_that_are_named_too_are_not_counted(holiday, tmp_path):
    given, out = [str(holiday), str(holiday / "clip.mp4")], str(tmp_path / "out")
    jobs = plan_jobs(given, out, Options())
    others = list_others(given, out, Options(), jobs)
    names = [path.name for path in others]
    assert "b.MOV" in names and "c.mts" in names and "clip.mp4" not in names


def test_a_folder_of_videos_alone_says_so(tmp_path):
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(UserError, match="No image files .*Found 1 video. Received"):
        plan_jobs([str(tmp_path)], str(tmp_path / "out"), Options())


def test_names_with_line_breaks_and_without_encoding_stay_on_their_line(weights, tmp_path, capsys):
    image = np.full((9, 11, 3), 100, np.uint8)
    names = ["a\nb.png", os.fsdecode(b"\xff.png"), "tab\t\x1b[31m.png"]
    for name in names:
        write_image(tmp_path / "in" / name, image)
    (tmp_path / "in" / "broken\n.png").write_bytes(b"rubbish")
    assert run([str(tmp_path / "in")], str(tmp_path / "out"), weights) == 1
    printed = capsys.readouterr()
    assert sorted(os.listdir(tmp_path / "out")) == sorted(names)
    assert "a\\nb.png -> " in printed.out and "\\udcff.png" in printed.out
    assert "\x1b" not in printed.out
    assert len(printed.err.splitlines()) == 2 and "broken\\n.png" in printed.err


def test_links_and_pipes_in_a_folder(weights, tmp_path):
    image = np.full((9, 11, 3), 100, np.uint8)
    folder, out, outside = tmp_path / "in", tmp_path / "out", tmp_path / "outside"
    write_image(folder / "a.png", image)
    write_image(outside / "b.png", image)
    (folder / "link.png").symlink_to(outside / "b.png")
    (folder / "around").symlink_to(folder)
    (folder / "lost.png").symlink_to(folder / "nothing.png")
    os.mkfifo(folder / "pipe.png")
    (outside / "c.png").write_bytes(b"precious")
    out.mkdir()
    (out / "a.png").symlink_to(outside / "c.png")
    assert run([str(folder)], str(out), weights, recursive=True, overwrite=True) == 0
    assert sorted(os.listdir(out)) == ["a.png", "link.png"]
    assert not (out / "a.png").is_symlink() and not (out / "link.png").is_symlink()
    assert (outside / "c.png").read_bytes() == b"precious"
    assert (read_image(outside / "b.png") == image).all()
    others = list_others([str(folder)], str(out), Options(recursive=True), [])
    assert [path.name for path in others] == ["around", "lost.png", "pipe.png"]


def test_a_file_that_changes_while_it_is_read_is_not_denoised(
    weights, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "in" / "a.png"
    write_image(path, np.full((9, 11, 3), 100, np.uint8))
    read = image_file.read_picture

    def read_while_it_is_written(*arguments):
        picture = read(*arguments)
        write_image(path, np.zeros((9, 12, 3), np.uint8))
        return picture

    monkeypatch.setattr(image_file, "read_picture", read_while_it_is_written)
    assert run([str(path)], str(tmp_path / "out"), weights) == 1
    assert "changed while it was read" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    assert run([str(path)], str(tmp_path / "out"), weights) == 0
    assert read_image(tmp_path / "out" / "a.png").shape == (9, 12, 3)


def test_several_videos_and_images_in_one_run_of_which_one_ends_early(weights, tmp_path, capsys):
    encode(tmp_path / "a.avi", moving_frames(3, 32, 48), "mjpeg", "yuvj420p")
    encode(tmp_path / "whole.mkv", moving_frames(60, 32, 48), "mjpeg", "yuvj420p")
    content = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "half.mkv").write_bytes(content[: len(content) // 2])
    Image.new("RGB", (50, 40)).save(tmp_path / "photo.png")
    pictures = [Image.new("RGB", (50, 40), (0, 90 * n, 0)) for n in range(3)]
    (tmp_path / "in").mkdir()
    for name in ("b.webp", "in/c.png"):
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
    given = [str(tmp_path / name) for name in ("photo.png", "a.avi", "half.mkv", "b.webp", "in")]
    assert run(given, str(tmp_path / "out"), weights, json=True) == 1
    printed = capsys.readouterr()
    assert everything_below(tmp_path / "out") == [
        *("a.mp4", "b.webp", "c.png", "half.mkv", "photo.png")
    ]
    assert is_animation(tmp_path / "out" / "b.webp") and is_animation(tmp_path / "out" / "c.png")
    assert len(frames_of(tmp_path / "out" / "a.mp4")) == 3
    assert 20 < len(frames_of(tmp_path / "out" / "half.mkv")) < 40
    summary = json.loads(printed.out)
    assert (summary["denoised"], summary["failed"], summary["damaged"]) == (5, 0, 1)
    (said,) = (file["damage"] for file in summary["files"] if file["damage"])
    assert "ends early" in said and "1 of 5 files damaged" in printed.err
    before, _, after = printed.err.partition("half.mkv -> ")
    assert said in before and said in after
