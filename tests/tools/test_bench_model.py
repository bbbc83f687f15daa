"""The benchmark of the networks runs and writes the numbers that it prints."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow  # compiles two training steps
def test_quick_run(tmp_path):
    command = [sys.executable, "tools/benchmarks/bench_model.py", "--quick", f"--output={tmp_path}"]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "bench_model.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["task"] for row in rows] == ["training step", "inference"]
    for row in rows:
        native, reference = float(row["native_ms"]), float(row["reference_ms"])
        assert native > 0 and reference > 0
        assert abs(float(row["speedup"]) - reference / native) < 0.01 * reference / native + 1e-3
        assert f"{native:.1f}" in done.stdout and f"{reference:.1f}" in done.stdout
