"""Which file goes where."""

import numpy as np
import pytest

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io import write_image
from mallenet_tf.inference.batch_plan import plan_images, plan_jobs
from mallenet_tf.inference.options import Options


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "Fotos ä"
    for name in ("a 1.png", "b[2].jpg", "sub/c.png", "sub/deep/d.webp"):
        write_image(source / name, np.full((9, 11, 3), 100, np.uint8))
    (source / "notes.txt").write_text("no image")
    (source / ".hidden.png").write_bytes(b"")
    return source


def names(jobs, output):
    return [job.target.relative_to(output).as_posix() for job in jobs]


def test_a_folder_keeps_its_places(folder, tmp_path):
    out = tmp_path / "out"
    assert names(plan_images([str(folder)], str(out)), out) == ["a 1.png", "b[2].jpg"]
    deep = plan_images([str(folder)], str(out), recursive=True)
    assert names(deep, out) == ["a 1.png", "b[2].jpg", "sub/c.png", "sub/deep/d.webp"]


def test_results_below_the_input_folder_are_no_inputs(folder):
    out = folder / "sub" / "clean"
    first = plan_images([str(folder)], str(out), recursive=True)
    for job in first:
        write_image(job.target, np.full((9, 11, 3), 50, np.uint8))
    assert plan_images([str(folder)], str(out), recursive=True) == first
    again = plan_images([str(out)], str(folder / "twice"), recursive=True)
    assert len(again) == len(first)


def test_globs_and_names_with_brackets(folder, tmp_path):
    out = tmp_path / "out"
    assert names(plan_images([str(folder / "*")], str(out)), out)[:2] == ["a 1.png", "b[2].jpg"]
    assert names(plan_images([str(folder / "b[2].jpg")], str(out)), out) == ["b[2].jpg"]
    several = plan_images([str(folder / "**" / "*.png"), str(folder / "a 1.png")], str(out))
    assert sorted(names(several, out)) == ["a 1.png", "c.png"]


def test_one_file_to_one_file(folder, tmp_path):
    (job,) = plan_images([str(folder / "a 1.png")], str(tmp_path / "new" / "result.tif"))
    assert job.target == tmp_path / "new" / "result.tif"


def test_plans_that_cannot_work(folder, tmp_path):
    one = str(folder / "a 1.png")
    with pytest.raises(UserError, match="Several images cannot go to one file"):
        plan_images([str(folder)], str(tmp_path / "out.png"))
    with pytest.raises(UserError, match="would replace an input"):
        plan_jobs([one], one, Options())
    with pytest.raises(UserError, match="would replace an input"):
        plan_jobs([str(folder)], str(folder), Options())
    with pytest.raises(UserError, match="suffix must be one of .*result.gif"):
        plan_images([one], str(tmp_path / "result.gif"))
    with pytest.raises(FileNotFoundError, match="No such file or folder. Received: .*missing.png"):
        plan_images([str(folder / "missing.png")], str(tmp_path / "out"))
    with pytest.raises(UserError, match=r"No image files .*match.*Received: .*\*\.txt"):
        plan_images([str(folder / "*.txt")], str(tmp_path / "out"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="No image files .*--recursive"):
        plan_images([str(tmp_path / "empty")], str(tmp_path / "out"))
    write_image(folder / "sub" / "a 1.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(UserError, match="Two inputs would be written"):
        plan_jobs([one, str(folder / "sub" / "a 1.png")], str(tmp_path / "out"), Options())


def test_a_link_to_an_input_is_not_written_to(folder, tmp_path):
    link = tmp_path / "out.png"
    link.symlink_to(folder / "a 1.png")
    with pytest.raises(UserError, match="would replace an input"):
        plan_jobs([str(folder / "a 1.png")], str(link), Options())


def test_an_input_is_replaced_by_its_own_result_if_asked(folder):
    one = str(folder / "a 1.png")
    (job,) = plan_jobs([one], one, Options(overwrite=True))
    assert job.source == job.target
    assert len(plan_jobs([str(folder)], str(folder), Options(overwrite=True))) == 2


def test_images_and_videos_go_to_one_folder(folder, tmp_path):
    for name in ("x.mp4", "y.mts", "sub/z.mkv"):
        (folder / name).touch()
    out = tmp_path / "out"
    videos = plan_jobs(
        [f"{folder}/**/*.mkv", *map(str, folder.glob("[xy].*"))], str(out), Options()
    )
    assert sorted(names(videos, out)) == ["x.mp4", "y.mp4", "z.mkv"]
    assert all(job.video for job in videos)
    both = plan_jobs([str(folder / "y.mts"), str(folder)], str(out), Options())
    assert names(both, out) == ["y.mp4", "a 1.png", "b[2].jpg"]
    frames = plan_jobs([str(folder), str(folder / "sub")], str(out), Options(video=True))
    assert names(frames, out) == ["Fotos ä", "sub"]
    (folder / "y.mp4").touch()
    with pytest.raises(UserError, match="Two inputs would be written"):
        plan_jobs([str(folder / "y.mts"), str(folder / "y.mp4")], str(out), Options())
    with pytest.raises(UserError, match="Several videos cannot go to one file"):
        plan_jobs([str(folder / "*.mp4")], str(tmp_path / "all.mp4"), Options())
