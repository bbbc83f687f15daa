"""`python -m mallenet_tf.train` as users run it: stopped, resumed, diverging, with a mistake."""

import json
import random
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.models import load_model
from tests.helpers.training_cases import assert_same_state, state

STEPS = 40
LIMIT = 900  # seconds; a hang must end
LINE = re.compile(r"step (\d+)/40  loss \S+  \S+ images/s  \S+ left")


class Training:
    """A process of the command; its standard error is read line by line."""

    def __init__(self, repository, environment, gin_file, folder, bindings):
        command = [
            *(sys.executable, "-m", "mallenet_tf.train"),
            *(f"--gin_file={gin_file}", f"--model_dir={folder}"),
            *(f"--gin_param={binding}" for binding in bindings),
        ]
        self.process = subprocess.Popen(
            command, cwd=repository, env=environment, stderr=subprocess.PIPE, text=True
        )
        self.lines = []

    def wait_for(self, step):
        """Reads until the line of this step."""
        for line in self.process.stderr:
            self.lines.append(line)
            found = LINE.search(line)
            if found and int(found[1]) >= step:
                return
        pytest.fail("ended early: " + "".join(self.lines)[-4000:])

    def finish(self) -> tuple[int, str]:
        """Waits for the end; returns the exit status and all it printed."""
        try:
            _, rest = self.process.communicate(timeout=LIMIT)
        finally:
            self.process.kill()
        self.lines.append(rest)
        return self.process.returncode, "".join(self.lines)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    pixels = np.random.RandomState(1).randint(0, 256, (2, 24, 40, 3)).astype(np.uint8)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def story(tmp_path_factory, repository, environment, photographs):
    """Starts the command five times; returns what each printed, and the folders, by name."""
    folder = tmp_path_factory.mktemp("runs")
    smoke = "experiments/smoke.gin"
    bindings = [f'VALIDATION = "{photographs}"']

    def start(name, gin_file=smoke, bindings=bindings):
        return Training(repository, environment, gin_file, folder / name, bindings)

    told = {"folder": folder}
    stopped = start("run")
    diverging = start("diverging", bindings=[*bindings, "optimizer.learning_rate = 1e30"])
    mistaken = start("mistaken", bindings=[*bindings, "TrainingOptions.stepz = 3"])
    # Before the validation halfway, which takes long enough for the signal to arrive in time.
    told["stop_at"] = random.randint(1, STEPS // 2 - 1)
    stopped.wait_for(told["stop_at"])
    stopped.process.send_signal(signal.SIGTERM)
    told["stopped"] = stopped.finish()
    told["halfway"] = state(folder / "run")
    told["configuration"] = (folder / "run" / "config.gin").read_text()
    again = start("run")
    # The run without a stop uses the config.gin that the stopped one wrote.
    (folder / "config.gin").write_text(told["configuration"])
    whole = start("whole", gin_file=folder / "config.gin", bindings=[])
    told["again"], told["whole"] = again.finish(), whole.finish()
    told["diverging"], told["mistaken"] = diverging.finish(), mistaken.finish()
    return told


def test_a_stop_saves_and_exits_cleanly(story):
    status, text = story["stopped"]
    assert status == 0, text[-4000:]
    step = int(story["halfway"]["step"])
    assert story["stop_at"] <= step < STEPS
    assert f"Stopped at step {step}; the same command resumes from there." in text
    assert "Traceback" not in text


def test_started_again_it_ends_like_a_run_that_was_never_stopped(story):
    for name in ("again", "whole"):
        status, text = story[name]
        assert status == 0, text[-4000:]
    assert f"Resuming {story['folder'] / 'run'} from step" in story["again"][1]
    assert state(story["folder"] / "run")["step"] == STEPS
    message = f"stopped when asked at step {story['stop_at']}"
    print(message)  # shown by pytest if the comparison fails
    assert_same_state(state(story["folder"] / "run"), state(story["folder"] / "whole"))


def test_progress_without_a_terminal_is_plain_lines(story):
    _, text = story["whole"]
    assert [int(step) for step in LINE.findall(text)] == list(range(1, STEPS + 1))
    assert re.search(r"step 20  validation sigma_25 \d+\.\d{3} dB", text)
    assert "\r" not in text and "\x1b" not in text


def test_the_folder_tells_how_the_run_was_made(story):
    record = json.loads((story["folder"] / "run" / "run.json").read_text())
    assert record["step"] == STEPS
    assert record["best_psnr"] > 10.0
    configuration = record["configuration"]
    assert configuration["loss"] == "l1" and configuration["noise.sigma"] == 25.0
    first, second = record["starts"]
    step = int(story["halfway"]["step"])
    assert (first["first_step"], first["last_step"]) == (0, step)
    assert (second["first_step"], second["last_step"]) == (step, STEPS)
    assert first["command"][1:4] == [
        "-m",
        "mallenet_tf.train",
        "--gin_file=experiments/smoke.gin",
    ]
    assert any("VALIDATION" in argument for argument in first["command"])
    for package in ("tensorflow", "keras", "numpy", "gin-config"):
        assert re.match(r"\d+\.\d+", first["versions"][package])
    # None where the sources are no git checkout, as in an unpacked archive.
    assert first["git"] is None or re.fullmatch("[0-9a-f]{40}", first["git"]["commit"])
    assert "cosine.warmup = 5" in story["configuration"]
    assert "charbonnier" not in story["configuration"]  # was not used


def test_the_checkpoints_load(story):
    for name in ("best.keras", "last.keras"):
        model = load_model(story["folder"] / "run" / name)
        assert model.trained_sigma == 25.0


def test_a_diverging_run_ends_with_one_line(story):
    status, text = story["diverging"]
    assert status == 1
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert re.match(r"error: The loss is (nan|inf) at step \d+\. The batch is in ", errors[0])
    assert "Traceback" not in text
    (batch,) = (story["folder"] / "diverging").glob("diverged_at_step_*.npz")
    with np.load(batch) as stored:
        assert stored["noisy"].shape == stored["clean"].shape == (4, 32, 32, 3)


def test_a_misspelt_binding_ends_with_one_line(story):
    status, text = story["mistaken"]
    assert status == 1
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "stepz" in errors[0]
    assert "Traceback" not in text
    assert not (story["folder"] / "mistaken").exists()
