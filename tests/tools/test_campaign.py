"""The tools of the campaign, small: they find nothing, and would find what does not hold."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("fuzz_images", ["--most=100", "--minutes=9"], "100 files in"),
        ("fuzz_images", ["--most=40", "--minutes=9", "--kind=videos"], "40 files in"),
        pytest.param("kill_denoise", ["--kills=1"], "2 kills, 0 faults", marks=pytest.mark.slow),
        pytest.param("kill_training", ["--kills=3"], "3 kills, 0 faults", marks=pytest.mark.slow),
    ],
)
def test_the_campaign_finds_nothing(repository, tmp_path, tool, arguments, said):
    line = [sys.executable, repository / "tools" / "checks" / f"{tool}.py", *arguments]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout


def load(repository, name):
    folder = repository / "tools" / "checks"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


def test_what_does_not_hold_is_found(repository, tmp_path, monkeypatch):
    fuzz_images = load(repository, "fuzz_images")
    (path := tmp_path / "in" / "a.png").parent.mkdir()
    from mallenet_tf.image_io import write_image

    write_image(path, np.zeros((9, 9, 3), np.uint8))

    # The process of a whole suite takes more than a campaign's.
    monkeypatch.setattr(fuzz_images, "_MAX_MEMORY", 1 << 40)

    def check():
        return fuzz_images.denoise_and_check(path, tmp_path / "out", fuzz_images._Defects())

    assert check() == "denoised"
    (tmp_path / "out" / "b.png").touch()
    assert "wrote ['a.png', 'b.png']" in check()
    (tmp_path / "in" / "c.png").touch()
    assert check() == "wrote beside its output"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_mutations_that_know_a_format_reach_its_decoder(repository, tmp_path, form):
    """More than blind ones: some mutants of every format still open."""
    from PIL import Image

    mutations = load(repository, "mutations")
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8))
    image.save(tmp_path / "a", form)
    content = (tmp_path / "a").read_bytes()
    opened = 0
    for seed in range(60):
        mutant = mutations.mutate(content, np.random.default_rng(seed))
        assert mutant == mutations.mutate(content, np.random.default_rng(seed))
        (tmp_path / "b").write_bytes(mutant)
        try:
            with Image.open(tmp_path / "b"):
                opened += 1
        except Exception:  # Pillow raises a dozen unrelated types.
            continue
    assert 5 < opened < 60


def test_another_end_of_a_training_is_found(repository, tmp_path):
    kill_training = load(repository, "kill_training")
    for name in ("whole", "run"):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "state.npz", step=3, weights=np.arange(5))
    whole, run = kill_training.contents(tmp_path / "whole"), tmp_path / "run"
    assert not list(kill_training.differences(run, whole))
    np.savez(run / "state.npz", step=3, weights=np.arange(5) + 1e-9)
    (run / ".state.npz").touch()
    assert list(kill_training.differences(run, whole)) == [
        "run: another state.npz",
        "run: .state.npz was left",
    ]
    (run / "state.npz").write_bytes((run / "state.npz").read_bytes()[:-9])
    with pytest.raises(Exception, match="zip"):
        kill_training.contents(run)
