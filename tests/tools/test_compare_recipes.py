"""Every variant of the comparison of recipes is valid and sees the same number of pixels."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gin
import pytest

from mallenet_tf.experiment import gin_configuration


@pytest.fixture
def tool(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "tools" / "comparisons"))
    return importlib.import_module("compare_recipes")


@pytest.fixture
def runs(tool, monkeypatch):
    """Replaces trainings by stand-ins that leave the same files; returns their commands."""
    commands = []

    def run(command):
        commands.append(command)
        folder = tool.Path(flag(command, "model_dir"))
        folder.mkdir(parents=True)
        (folder / "last.keras").touch()
        (folder / "best.keras").touch()
        (folder / "run.json").write_text(json.dumps({"best_psnr": 30.0}))
        return 0

    monkeypatch.setattr(tool, "run_to_the_end", run)
    return commands


def flag(command, name):
    return next(word.partition("=")[2] for word in command if word.startswith(f"--{name}="))


def parameters(command):
    return [word.partition("=")[2] for word in command if word.startswith("--gin_param=")]


def arguments(folder, *more):
    return ["--photographs=photos", "--data=kodak", f"--output={folder}", *more]


def test_variants_are_valid_and_see_as_many_pixels(tool, runs, tmp_path):
    tool.main(arguments(tmp_path, "--steps=400"))
    pixels = {}
    for command in runs:
        gin.clear_config()
        gin_configuration.parse([flag(command, "gin_file")], parameters(command))
        names = ("%STEPS", "TrainingOptions.batch_size", "run_experiment.patch_size")
        steps, batch, patch = map(gin.query_parameter, names)
        variant = tool.Path(flag(command, "model_dir")).parent.name
        pixels[variant] = pixels.get(variant, 0) + steps * batch * patch**2
    gin.clear_config()
    assert len(pixels) == len(tool.VARIANTS)
    wanted = 400 * tool.BATCH * tool.PATCH**2
    assert all(seen == pytest.approx(wanted, rel=0.02) for seen in pixels.values())


def test_stages_follow_each_other_and_nothing_is_trained_twice(tool, runs, tmp_path, capsys):
    number = [len(stages) for stages in tool.VARIANTS.values()].index(2)
    tool.main(arguments(tmp_path, f"--variants={number}"))
    first, second = runs
    assert not any("initial_weights" in text for text in parameters(first))
    before = tool.Path(flag(first, "model_dir")) / "last.keras"
    assert f"run_experiment.initial_weights = {str(before)!r}" in parameters(second)
    table = (tmp_path / "recipes.md").read_text()
    assert "| 30.00 |" in table
    assert table in capsys.readouterr().out
    tool.main(arguments(tmp_path, f"--variants={number}"))
    assert len(runs) == 2


def test_a_training_that_fails_is_an_error(tool, runs, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "run_to_the_end", lambda command: 1)
    with pytest.raises(tool.UserError, match="stage0 failed or was stopped"):
        tool.main(arguments(tmp_path, "--variants=0"))
    assert not (tmp_path / "recipes.md").exists()


def test_a_training_that_was_stopped_is_not_taken_for_a_finished_one(tool, tmp_path, monkeypatch):
    def stopped(command):
        folder = tool.Path(flag(command, "model_dir"))
        folder.mkdir(parents=True)
        (folder / "last.keras").touch()
        return 0

    monkeypatch.setattr(tool, "run_to_the_end", stopped)
    with pytest.raises(tool.UserError, match="stage0 failed or was stopped"):
        tool.main(arguments(tmp_path, "--variants=9"))


def test_a_command_saves_what_it_has_when_interrupted(tool, tmp_path):
    """Ctrl-C reaches a tool and its command; here the command needs a second to save."""
    command = f"""
import signal, time
open({str(tmp_path / "started")!r}, "w")
try:
    signal.pause()
except KeyboardInterrupt:
    time.sleep(1)
    open({str(tmp_path / "saved")!r}, "w")
"""
    run = f"run_to_the_end([{sys.executable!r}, '-c', {command!r}])"
    caller = f"from mallenet_tf.common.processes import run_to_the_end; {run}"
    process = subprocess.Popen(
        [sys.executable, "-c", caller],
        cwd=Path(tool.__file__).parents[2],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not (tmp_path / "started").exists() and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=30) != 0
    assert (tmp_path / "saved").exists()


def test_unknown_variants_are_refused(tool, tmp_path, capsys):
    with pytest.raises(SystemExit):
        tool.main(arguments(tmp_path, "--variants=0,99"))
    assert "Received: 0,99" in capsys.readouterr().err
