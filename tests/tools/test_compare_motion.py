"""The comparison at growing motion runs and writes the numbers that it prints."""

import csv
import importlib.util
import sys
from pathlib import Path

import pytest
from PIL import Image

TOOL = Path(__file__).resolve().parents[2] / "tools" / "comparisons" / "compare_motion.py"


@pytest.mark.slow  # compiles two training steps
def test_smoke_run_writes_table_and_plot_and_goes_on(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("compare_motion", TOOL)
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    sys.modules["compare_motion"] = tool
    spec.loader.exec_module(tool)
    tool.main([f"--output={tmp_path}", "--smoke"])
    with (tmp_path / "motion.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["network"], float(row["motion"])) for row in rows] == [("3d", 0.0), ("3d", 1.0)]
    printed = capsys.readouterr().out
    assert all(f"{row['psnr']} dB" in printed for row in rows)
    with Image.open(tmp_path / "motion.png") as picture:
        assert picture.width > 300
    state = (tmp_path / "3d" / "state.npz").stat().st_mtime_ns
    tool.main([f"--output={tmp_path}", "--smoke", f"--weights=3d={tmp_path / '3d'}"])
    assert (tmp_path / "3d" / "state.npz").stat().st_mtime_ns == state
    assert capsys.readouterr().out.splitlines()[0] == printed.splitlines()[0]
