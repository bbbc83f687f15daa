"""Which file goes where, and that one bad file does not stop the others."""

import numpy as np
import pytest

from mallenet_tf.errors import UserError
from mallenet_tf.inference import read_image, write_image
from mallenet_tf.inference.jobs import plan_jobs, run_jobs


class Darker:
    """Stands in for a denoiser: halves the image, and remembers the sigmas it was told."""

    def __init__(self, takes_sigma=False):
        self.takes_sigma = takes_sigma
        self.told = []

    def __call__(self, image, sigma=None, on_tile=None):
        self.told.append(sigma)
        if on_tile:
            on_tile(1, 1)
        return image // 2


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
    assert names(plan_jobs([str(folder)], str(out)), out) == ["a 1.png", "b[2].jpg"]
    deep = plan_jobs([str(folder)], str(out), recursive=True)
    assert names(deep, out) == ["a 1.png", "b[2].jpg", "sub/c.png", "sub/deep/d.webp"]


def test_globs_and_names_with_brackets(folder, tmp_path):
    out = tmp_path / "out"
    assert names(plan_jobs([str(folder / "*")], str(out)), out)[:2] == ["a 1.png", "b[2].jpg"]
    assert names(plan_jobs([str(folder / "b[2].jpg")], str(out)), out) == ["b[2].jpg"]
    several = plan_jobs([str(folder / "**" / "*.png"), str(folder / "a 1.png")], str(out))
    assert sorted(names(several, out)) == ["a 1.png", "c.png"]


def test_one_file_to_one_file(folder, tmp_path):
    (job,) = plan_jobs([str(folder / "a 1.png")], str(tmp_path / "new" / "result.tif"))
    assert job.target == tmp_path / "new" / "result.tif"


def test_plans_that_cannot_work(folder, tmp_path):
    one = str(folder / "a 1.png")
    with pytest.raises(UserError, match="Several images cannot go to one file"):
        plan_jobs([str(folder)], str(tmp_path / "out.png"))
    with pytest.raises(UserError, match="would replace an input"):
        plan_jobs([one], one)
    with pytest.raises(UserError, match="would replace an input"):
        plan_jobs([str(folder)], str(folder))
    with pytest.raises(UserError, match="suffix must be one of .*result.gif"):
        plan_jobs([one], str(tmp_path / "result.gif"))
    with pytest.raises(FileNotFoundError, match="No such file or folder. Received: .*missing.png"):
        plan_jobs([str(folder / "missing.png")], str(tmp_path / "out"))
    with pytest.raises(UserError, match=r"No images .*match. Received: .*\*\.txt"):
        plan_jobs([str(folder / "*.txt")], str(tmp_path / "out"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="No images .*--recursive"):
        plan_jobs([str(tmp_path / "empty")], str(tmp_path / "out"))
    write_image(folder / "sub" / "a 1.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(UserError, match="Two inputs would be written"):
        plan_jobs([one, str(folder / "sub" / "a 1.png")], str(tmp_path / "out"))


def test_a_link_to_an_input_is_not_written_to(folder, tmp_path):
    link = tmp_path / "out.png"
    link.symlink_to(folder / "a 1.png")
    with pytest.raises(UserError, match="would replace an input"):
        plan_jobs([str(folder / "a 1.png")], str(link))


def test_bad_files_do_not_stop_the_rest(folder, tmp_path):
    (folder / "a 0.png").write_bytes(b"broken")
    (folder / "a 2.png").touch()
    jobs = plan_jobs([str(folder)], str(tmp_path / "out"), recursive=True)
    seen = []
    outcomes = run_jobs(jobs, Darker(), on_outcome=seen.append)
    assert seen == outcomes
    failed = {outcome.job.source.name: outcome.error for outcome in outcomes if outcome.error}
    assert set(failed) == {"a 0.png", "a 2.png"}
    assert "not known" in failed["a 0.png"] and "empty" in failed["a 2.png"]
    written = sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert written == ["a 1.png", "b[2].jpg", "c.png", "d.webp"]
    assert (read_image(tmp_path / "out" / "a 1.png") == 50).all()


def test_existing_outputs_are_skipped_unless_asked(folder, tmp_path):
    jobs = plan_jobs([str(folder / "a 1.png")], str(tmp_path / "out"))
    assert not run_jobs(jobs, Darker())[0].skipped
    write_image(jobs[0].target, np.full((9, 11, 3), 7, np.uint8))
    assert run_jobs(jobs, Darker())[0].skipped
    assert (read_image(jobs[0].target) == 7).all()
    assert not run_jobs(jobs, Darker(), overwrite=True)[0].skipped
    assert (read_image(jobs[0].target) == 50).all()


def test_the_noise_level_is_given_estimated_or_left_out(tmp_path):
    noise = np.random.default_rng(0).normal(128, 20, (60, 80, 3)).round().astype(np.uint8)
    write_image(tmp_path / "a.png", noise)
    jobs = plan_jobs([str(tmp_path / "a.png")], str(tmp_path / "out"))
    conditioned = Darker(takes_sigma=True)
    (given,) = run_jobs(jobs, conditioned, sigma=12, overwrite=True)
    (estimated,) = run_jobs(jobs, conditioned, overwrite=True)
    assert conditioned.told == [12, estimated.sigma]
    assert given.sigma == 12 and given.estimated_sigma is None
    assert estimated.sigma == estimated.estimated_sigma == pytest.approx(20, rel=0.1)
    fixed = Darker()
    (outcome,) = run_jobs(jobs, fixed, overwrite=True)
    assert fixed.told == [None] and outcome.sigma is None
    assert outcome.estimated_sigma == pytest.approx(20, rel=0.1)
    assert (outcome.width, outcome.height) == (80, 60)
