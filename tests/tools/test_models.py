"""The tools around the networks: the list of them, and the comparison of dynamic filters."""

import csv
import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.models import MODELS

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def list_models(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # the module sets it; here it is set back
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    monkeypatch.syspath_prepend(str(REPOSITORY / "tools" / "benchmarks"))
    return importlib.import_module("list_models")


def test_every_network_is_listed_with_its_paper(list_models):
    assert set(list_models.PAPERS) == set(MODELS)


def test_a_line_compares_with_the_papers_unit(list_models, capsys):
    list_models.main(["mallenet_s", "sadnet"])
    head, small, sadnet = capsys.readouterr().out.splitlines()
    assert len(small.split("malleconv.txt")[0]) == len(head.split("source")[0])
    assert "0.485 M" in small and "2.93 GFLOPs" in small and "256x256" in small
    assert "50.1 GMACs" in sadnet and "480x320" in sadnet
    macs, flops, paper, _, deviation = small.split()[5:10]
    assert float(flops) == pytest.approx(2 * float(macs), abs=0.011)
    assert float(deviation) == pytest.approx(100 * (float(flops) / float(paper) - 1), abs=0.3)


def test_unknown_networks_are_refused(list_models, capsys):
    with pytest.raises(SystemExit) as stop:
        list_models.run_main(list_models.main)(["resnet"])
    assert stop.value.code == 1
    assert "Received: resnet" in capsys.readouterr().err


def test_filters_are_compared_end_to_end(tmp_path):
    """Trains two networks for a few steps; a second run finds nothing to train."""
    random = np.random.default_rng(0)
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for index in range(2):
        pixels = random.integers(0, 256, (6, 6, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(pixels).save(photographs / f"{index}.png")
    command = [
        sys.executable,
        "tools/comparisons/compare_filters.py",
        f"--photographs={photographs}",
        f"--data={photographs}",
        f"--output={tmp_path / 'filters'}",
        "--depths=3",
        "--width=4",
        "--filters=none:2,involution",
        "--steps=6",
        "--batch_size=2",
        "--patch_size=16",
        "--seconds=0.1",
    ]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    tables = []
    for _ in range(2):
        done = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        with (tmp_path / "filters" / "filters.csv").open(newline="") as file:
            tables.append(list(csv.DictReader(file)))
    first, second = tables
    assert [row["filter"] for row in first] == ["none", "none", "involution"]
    assert len({row["psnr"] for row in first}) == 3
    assert [row["psnr"] for row in first] == [row["psnr"] for row in second]
    assert all(float(row["ms"]) > 0 for row in first)
    table = (tmp_path / "filters" / "filters.md").read_text()
    assert "with Involution" in table and f"({float(second[0]['psnr']):.2f}, " in table
    assert (tmp_path / "filters" / "filters.png").read_bytes().startswith(b"\x89PNG")
