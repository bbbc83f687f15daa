"""The comparison of dynamic filters runs, and writes what it prints."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TOOL = Path(__file__).resolve().parent.parent / "tools" / "compare_filters.py"


@pytest.mark.slow  # compiles two training steps
def test_two_networks_are_trained_scored_and_timed_once(tmp_path):
    random = np.random.default_rng(0)
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for name in ("a", "b"):
        pixels = random.integers(0, 256, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photographs / f"{name}.png")
    output = tmp_path / "filters"
    command = [sys.executable, str(TOOL), f"--photographs={photographs}", f"--data={photographs}"]
    command += [f"--output={output}", "--depths=3", "--filters=none,malleconv", "--width=4"]
    command += ["--steps=4", "--batch_size=2", "--patch_size=16", "--seconds=0.2"]

    def run():
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    printed = run()
    with (output / "filters.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["filter"] for row in rows] == ["none", "malleconv"]
    for row in rows:
        assert f"{float(row['psnr']):.3f} dB" in printed
        assert float(row["ms"]) > 0 and int(row["parameters"]) > 0
    assert (output / "filters.md").read_text() in printed
    with Image.open(output / "filters.png") as picture:
        assert picture.width > 300
    state = (output / "depth3_none" / "state.npz").stat().st_mtime_ns
    assert run().splitlines()[:2] == printed.splitlines()[:2]
    assert (output / "depth3_none" / "state.npz").stat().st_mtime_ns == state
