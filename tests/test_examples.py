"""The examples run, small, and do what the documentation shows."""

import importlib.util
from pathlib import Path
from types import ModuleType

from mallenet_tf.image_io import read_image

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_shipped_network_denoises_a_synthetic_photograph(tmp_path, capsys):
    picture = tmp_path / "picture.png"
    gain = load("denoise_and_look").main([f"--output={picture}", "--size=128"])
    assert gain > 6.0
    assert read_image(picture).shape[1] == 3 * 128 + 2 * 8  # noisy, denoised, clean, two gaps
    assert "25 added" in capsys.readouterr().out


def test_malleconv_trains_in_a_model_of_ones_own(tmp_path):
    picture = tmp_path / "picture.png"
    gain = load("malleconv_in_your_model").main([f"--output={picture}", "--steps=40"])
    assert gain > 1.0
    assert read_image(picture).shape[1] == 3 * 192 + 2 * 8  # noisy, denoised, kernels
