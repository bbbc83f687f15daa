"""Exported files run where this package is not, and agree with the Keras model."""

import contextlib
import dataclasses
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mallenet_tf.common.errors import UserError
from mallenet_tf.evaluation import psnr
from mallenet_tf.exporting import exporter, samples
from mallenet_tf.exporting.formats import FORMATS, parse_formats
from mallenet_tf.exporting.onnx_file import load_onnx
from mallenet_tf.exporting.running import litert
from mallenet_tf.exporting.tflite import load_tflite
from mallenet_tf.inference import Denoiser
from mallenet_tf.models import load_model
from mallenet_tf.ops import native_available
from tests.helpers.blend import Blend

# The converter makes an interpreter of TensorFlow's own, which it then says is outdated.
pytestmark = pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")

SIZES = ((1, 1), (5, 16), (31, 18))

# A process in which importing this package fails runs SavedModels on the arrays of files. One that
# comes with a library must need it.
RUN_ALONE = """
import json, sys
sys.modules["mallenet_tf"] = None
import numpy as np
import tensorflow as tf
for folder, data, library in json.loads(sys.argv[1]):
    if library:
        try:
            tf.saved_model.load(folder)
        except Exception as error:
            assert "Op type not registered" in str(error), error
        else:
            raise AssertionError("the library is not needed")
        tf.load_op_library(library)
    model = tf.saved_model.load(folder)
    answers = {}
    for name, array in np.load(data).items():
        signature = "denoise_uint8" if array.dtype == np.uint8 else "denoise"
        function = model.signatures[signature]
        arguments = {"image": tf.constant(array)}
        if "sigma" in function.structured_input_signature[1]:
            arguments["sigma"] = tf.constant([25.0] if len(array) == 1 else [40.0, 10.0])
        answers[name] = function(**arguments)["denoised"]
    default = model.signatures["serving_default"].structured_input_signature[1]["image"]
    answers["default"] = default.dtype.name
    np.savez(data + ".answers.npz", **answers)
"""


def images(channels: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(4)
    found = {
        f"float_{height}x{width}": random.uniform(0, 1, (1, height, width, channels))
        for height, width in SIZES
    }
    found["two"] = random.uniform(0, 1, (2, 6, 11, channels))
    arrays = {name: array.astype(np.float32) for name, array in found.items()}
    arrays["bytes"] = random.integers(0, 256, (1, 13, 7, channels), np.uint8)
    return arrays


@pytest.fixture(scope="module")
def export_run(weights, photographs, tmp_path_factory) -> tuple[dict[str, Path], str]:
    """Every format of the conditioned network, and what the run printed."""
    formats = [name for name in FORMATS if name != "native" or native_available()]
    folder, printed = tmp_path_factory.mktemp("all"), io.StringIO()
    with contextlib.redirect_stdout(printed):
        paths = exporter.run(weights["conditioned"], folder, formats, [photographs])
    return dict(zip(formats, paths, strict=True)), printed.getvalue()


@pytest.fixture(scope="module")
def exported(export_run) -> dict[str, Path]:
    return export_run[0]


@pytest.fixture(scope="module")
def alone(exported, weights, photographs, tmp_path_factory):
    """What SavedModels answered in a process of their own: arrays and answers by name."""
    folder = tmp_path_factory.mktemp("alone")
    (gray,) = exporter.run(weights["gray"], folder, ["portable"], [photographs])
    jobs = {"portable": (exported["portable"], 3, None), "gray": (gray, 1, None)}
    if "native" in exported:
        (library,) = exported["native"].glob("assets.extra/*.so")
        jobs["native"] = (exported["native"], 3, str(library))
    arrays = {name: images(channels) for name, (_, channels, _) in jobs.items()}
    for name in jobs:
        np.savez(folder / f"{name}.npz", **arrays[name])
    orders = [
        (str(model), str(folder / f"{name}.npz"), library)
        for name, (model, _, library) in jobs.items()
    ]
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUN_ALONE, json.dumps(orders)],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {
        name: (arrays[name], dict(np.load(folder / f"{name}.npz.answers.npz"))) for name in jobs
    }


def check_answers(model, arrays, answers):
    denoise = Denoiser(model, tile=0)
    assert answers["default"] == "float32"
    for name, batch in arrays.items():
        sigmas = (40.0, 10.0) if len(batch) == 2 else (25.0,)
        for image, sigma, found in zip(batch, sigmas, answers[name], strict=True):
            wanted = denoise(image, sigma if model.noise_conditioned else None)
            assert found.shape == image.shape and found.dtype == image.dtype
            # An 8-bit value may fall on either side of a rounding limit.
            tolerance = 1 if image.dtype == np.uint8 else 2e-5
            np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("name", ["portable", "native", "gray"])
def test_saved_models_run_without_the_package(alone, conditioned, gray, name):
    if name not in alone:
        pytest.skip("needs the native op")
    check_answers(gray if name == "gray" else conditioned, *alone[name])


def test_native_says_how_to_load_its_library(exported):
    if "native" not in exported:
        pytest.skip("needs the native op")
    (library,) = exported["native"].glob("assets.extra/*.so")
    assert f"assets.extra/{library.name}" in (exported["native"] / "README.md").read_text()


@pytest.mark.parametrize("name", ["tflite", "onnx"])
def test_float_files_agree_at_any_size(exported, conditioned, name):
    run = load_onnx(exported[name]) if name == "onnx" else load_tflite(exported[name])
    denoise = Denoiser(conditioned, tile=0)
    random = np.random.default_rng(5)
    for size in SIZES:
        image = random.uniform(0, 1, (*size, 3)).astype(np.float32)
        for sigma in (1.0, 60.0):  # At 0 a denoiser changes nothing.
            wanted = denoise(image, sigma)
            np.testing.assert_allclose(run(image, sigma), wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name,least,most", [("tflite_float16", 50, 90), ("tflite_int8", 35, 85)])
def test_rounded_files_agree_about(exported, conditioned, photographs, name, least, most):
    sample = samples.make_samples(conditioned, [photographs])[0]
    wanted = Denoiser(conditioned, tile=0)(sample.noisy, sample.sigma)
    found = load_tflite(exported[name])(sample.noisy, sample.sigma)
    # Bounded on both sides: a file that is too exact was not rounded.
    assert least < psnr(wanted, found) < most


def test_rounded_files_hold_rounded_numbers(exported):
    assert exported["tflite_float16"].stat().st_size < exported["tflite"].stat().st_size
    interpreter = litert().Interpreter(model_path=str(exported["tflite_int8"]))
    kinds = {np.dtype(tensor["dtype"]) for tensor in interpreter.get_tensor_details()}
    assert {np.dtype(np.int8), np.dtype(np.int16)} <= kinds  # weights and activations


def test_what_is_printed_says_how_well_each_file_agrees(export_run):
    paths, printed = export_run
    lines = printed.splitlines()
    for path, head, result in zip(paths.values(), lines[::2], lines[1::2], strict=True):
        assert str(path) in head and "on 6 images" in result
        drop = float(re.search(r"PSNR \d+\.\d\d dB.* drop (-?[\d.]+)", result)[1])
        assert abs(drop) < (0.2 if path.match("*int8*") else 0.05)


def test_without_photographs_there_are_synthetic_images(gray, conditioned, monkeypatch):
    monkeypatch.setattr(samples, "CALIBRATION_SAMPLES", 1)
    monkeypatch.setattr(samples, "CHECK_SAMPLES", 1)
    first, second = samples.make_samples(conditioned, [])
    assert first.clean.shape == first.noisy.shape == (256, 256, 3)
    assert (first.sigma, second.sigma) == samples.SIGMAS[:2]
    noise = [np.std(sample.noisy * 255.0 - sample.clean) for sample in (first, second)]
    np.testing.assert_allclose(noise, [5.0, 15.0], rtol=0.02)
    first, second = samples.make_samples(gray, [])
    assert first.clean.shape == (256, 256, 1) and first.sigma is None
    np.testing.assert_allclose(np.std(second.noisy * 255.0 - second.clean), 15.0, rtol=0.02)


def replace_format(monkeypatch, name, write, load):
    monkeypatch.setitem(FORMATS, name, dataclasses.replace(FORMATS[name], write=write, load=load))


@pytest.mark.parametrize("name", ["portable", "onnx"])
def test_a_file_that_disagrees_is_not_kept(weights, photographs, tmp_path, monkeypatch, name):
    def write(network, target):
        (target / "file" if target.is_dir() else target).write_text("wrong")

    def load(target):
        denoise = Denoiser(load_model(weights["gray"]), tile=0)
        return lambda image, sigma: denoise(image, sigma) + np.float32(1e-3)

    replace_format(monkeypatch, name, write, load)
    with pytest.raises(UserError, match=r"not kept.*0\.0001.*Received: .*1\.0e-03"):
        exporter.run(weights["gray"], tmp_path / "out", [name], [photographs])
    assert list((tmp_path / "out").iterdir()) == []


def test_networks_for_video_are_refused(tmp_path):
    Blend().save(tmp_path / "clip.keras")
    with pytest.raises(UserError, match=r"single images\. Received: .*clip.keras, .* 3 frames$"):
        exporter.run(tmp_path / "clip.keras", tmp_path / "out", ["portable"])
    assert not (tmp_path / "out").exists()


def test_outputs_are_replaced_only_when_asked(weights, photographs, tmp_path, monkeypatch):
    def write(network, target):
        (target / "saved_model.pb").touch()

    def load(target):
        return Denoiser(load_model(weights["gray"]), tile=0)

    replace_format(monkeypatch, "portable", write, load)
    old = tmp_path / "gray_saved_model"
    old.mkdir()
    (old / "stale").touch()
    arguments = (weights["gray"], tmp_path, ["portable"], [photographs])
    with pytest.raises(UserError, match=r"--overwrite.*gray_saved_model"):
        exporter.run(*arguments)
    assert (old / "stale").exists()
    exporter.run(*arguments, overwrite=True)
    assert [path.name for path in old.iterdir()] == ["saved_model.pb"]
    assert [path.name for path in tmp_path.iterdir()] == ["gray_saved_model"]


@pytest.mark.parametrize(
    "name,module,package",
    [
        ("tflite_int8", "ai_edge_litert.interpreter", "ai-edge-litert"),
        ("onnx", "onnxruntime", "onnxruntime"),
        ("onnx", "tf2onnx", "tf2onnx"),
    ],
)
def test_a_missing_package_is_named_with_the_command(monkeypatch, tmp_path, name, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"pip install '{package}'.*\[export\]"):
        exporter.run("no such weights", tmp_path, [name])


@pytest.mark.parametrize("names", [[], ["pdf"], ["onnx", ""]])
def test_unknown_formats_are_refused(names):
    with pytest.raises(UserError, match="--formats="):
        parse_formats(names)


def test_all_formats():
    assert parse_formats(["all"]) == list(FORMATS)
