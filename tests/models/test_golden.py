"""Files written by earlier versions load, and the networks in them compute what they did then."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from mallenet_tf.models import MODELS  # importing it registers all classes

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
FILES = sorted(GOLDEN.glob("models_*/*.keras"))


@pytest.fixture(scope="module")
def arrays():
    found = {}
    for path in GOLDEN.glob("models_*/arrays.npz"):
        with np.load(path) as stored:
            found |= stored
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_an_earlier_version_computes_the_same(path, arrays):
    model = keras.saving.load_model(path)
    outputs = model(arrays[f"{path.stem}/inputs"])
    outputs = outputs if isinstance(outputs, list) else [outputs]
    for index, output in enumerate(outputs):
        wanted = arrays[f"{path.stem}/{index}"]
        np.testing.assert_allclose(output, wanted, rtol=0, atol=1e-6 * max(1, np.abs(wanted).max()))


def registered_names(config):
    """Yields the registered names in a configuration, of the object itself and of those within."""
    if isinstance(config, dict):
        if config.get("registered_name"):
            yield config["registered_name"]
        for value in config.values():
            yield from registered_names(value)
    elif isinstance(config, list):
        for value in config:
            yield from registered_names(value)


def test_every_network_and_every_serializable_class_has_a_file():
    assert {path.stem for path in FILES} >= set(MODELS)
    found = set()
    for path in FILES:
        config = json.loads(zipfile.ZipFile(path).read("config.json"))
        found.update(map(keras.saving.get_registered_object, registered_names(config)))
    registered = keras.saving.get_custom_objects().items()
    classes = {kind for name, kind in registered if name.startswith("mallenet_tf>")}
    assert found >= classes and len(classes) > 25
