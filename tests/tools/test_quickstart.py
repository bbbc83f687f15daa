"""The quickstart at the smallest number of steps that it may choose for a slow machine."""

import csv
import subprocess
import sys

import pytest

GAIN = 8.0  # dB


@pytest.fixture
def tool(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "tools"))
    import quickstart

    return quickstart


def test_the_number_of_steps_follows_from_the_speed(tool):
    assert tool.steps_for(5.0, seconds_per_step=100.0) == tool.LEAST_STEPS
    assert tool.steps_for(5.0, seconds_per_step=1e-3) == tool.MOST_STEPS
    half_a_second = tool.steps_for(5.0, seconds_per_step=0.5)
    assert half_a_second * 0.5 * tool.DATA_OVERHEAD == pytest.approx(300, rel=0.01)


def test_the_least_training_gains_eight_decibels(repository, tmp_path):
    output = tmp_path / "quickstart"
    command = [sys.executable, "tools/quickstart.py", "--minutes=0", f"--output={output}"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "cudart" not in done.stderr and "absl::InitializeLog" not in done.stderr
    shipped = done.stdout.index("denoised.png.compare.png")
    assert shipped < done.stdout.index("Training for")  # a newcomer sees a picture first
    with (output / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    gains = [float(row["psnr"]) - float(row["psnr_noisy"]) for row in rows]
    assert sum(gains) / len(gains) >= GAIN
    for picture in ("denoised.png.compare.png", "photographs.png"):
        assert (output / picture).stat().st_size > 10_000
