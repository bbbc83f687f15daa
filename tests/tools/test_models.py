"""The list of networks."""

import importlib
from pathlib import Path

import pytest

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
