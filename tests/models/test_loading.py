"""Finding weights by name, file and run folder, and saying what is wrong when that fails."""

import json

import keras
import numpy as np
import pytest

from mallenet_tf.models import MalleNet, catalog, load_model, shipped_weights, weights_path
from tests.helpers.layer_checks import raises_value_error


def test_missing_weights_name_the_shipped_ones(tmp_path):
    with pytest.raises(FileNotFoundError, match="shipped names .*Received: 'no_such_weights'"):
        load_model("no_such_weights")
    with pytest.raises(FileNotFoundError, match="best.keras"):
        load_model(tmp_path)


def test_a_run_folder_means_its_best_model(tmp_path):
    model = MalleNet(width=4)
    model.save(tmp_path / "best.keras")
    noisy = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    np.testing.assert_allclose(load_model(tmp_path)(noisy), model(noisy), rtol=1e-5, atol=1e-6)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "broken.keras"
    path.write_bytes(b"not a model")
    with raises_value_error("Cannot load a model from this file"):
        load_model(path)


def test_another_kind_of_keras_model_is_refused(tmp_path):
    inputs = keras.Input((3,))
    keras.Model(inputs, keras.layers.Dense(1)(inputs)).save(tmp_path / "other.keras")
    with raises_value_error("not a denoiser"):
        load_model(tmp_path / "other.keras")


def test_a_damaged_shipped_file_is_refused(tmp_path, monkeypatch):
    entry = {"file": "damaged.keras", "sha256": "0" * 64}
    (tmp_path / "manifest.json").write_text(json.dumps({"damaged": entry}))
    (tmp_path / "damaged.keras").write_bytes(b"other bytes")
    monkeypatch.setattr(catalog, "WEIGHTS", tmp_path)
    with raises_value_error("Damaged weights"):
        weights_path("damaged")


def test_every_shipped_file_loads():
    for name, entry in shipped_weights().items():
        assert weights_path(name).is_file()
        model = load_model(name)
        assert model.name == entry["model"]
