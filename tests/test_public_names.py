"""Public names mean the same whatever has been imported, and Keras finds every class."""

import ast
import inspect
import json
import pkgutil
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import keras
import pytest

import mallenet_tf
import mallenet_tf.models
from mallenet_tf.common.keras_registry import PREFIX, REGISTERED_NAMES

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(info.name for info in pkgutil.walk_packages(mallenet_tf.__path__, "mallenet_tf."))
PACKAGES = ["mallenet_tf", *(name for name in MODULES if (ROOT / name.replace(".", "/")).is_dir())]

IMPORT_ALL = """
import importlib, json, sys
from absl import flags

def import_modules(names):
    for name in names:
        importlib.import_module(name)
        # Two commands may have flags of the same name; no process runs both.
        for module, found in flags.FLAGS.flags_by_module_dict().items():
            if module.startswith("mallenet_tf."):
                for flag in list(found):
                    delattr(flags.FLAGS, flag.name)

def public_names(packages):
    packages = map(importlib.import_module, packages)
    return {
        f"{package.__name__}.{name}": getattr(package, name)
        for package in packages for name in getattr(package, "__all__", [])
    }

packages, first, last = map(json.loads, sys.argv[1:])
import_modules(first)
from mallenet_tf import *
early = dict(globals())
names = public_names(packages)
import_modules(last)
assert all(value is names[name] for name, value in public_names(packages).items())
from mallenet_tf import *
import mallenet_tf
assert all(globals()[name] is early[name] for name in mallenet_tf.__all__)
print(json.dumps({name: type(value).__name__ for name, value in names.items()}))
"""


def run(code: str, *arguments: str) -> str:
    """Runs Python code in a fresh interpreter and returns what it prints."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kinds_of_public_names(first: list[str], last: list[str]) -> dict[str, str]:
    """Returns the type of each public name, used between the imports of two lists of modules."""
    return json.loads(run(IMPORT_ALL, *map(json.dumps, (PACKAGES, first, last))))


@pytest.fixture(scope="module")
def kinds():
    return kinds_of_public_names([], MODULES)


def test_importing_every_module_keeps_every_public_name(kinds):
    """The assertions are in `IMPORT_ALL`."""
    assert len(kinds) > 100
    modules = {name for name, kind in kinds.items() if kind == "module"}
    assert modules <= set(MODULES)
    for name in ("denoise_image", "build_model", "load_model"):
        assert kinds[f"mallenet_tf.{name}"] == "function"


def test_another_order_of_imports_gives_the_same_names(kinds):
    modules = random.Random(0).sample(MODULES, len(MODULES))
    middle = len(modules) // 2
    assert kinds_of_public_names(modules[:middle], modules[middle:]) == kinds


def test_no_two_classes_share_a_name():
    files = (ROOT / "mallenet_tf").rglob("*.py")
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    names = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    shared = {name for name, count in names.items() if count > 1 and not name.startswith("_")}
    assert not shared and len(names) > 80


@pytest.mark.parametrize("imports", ["import mallenet_tf, keras", "import keras, mallenet_tf"])
def test_keras_loads_files_once_the_package_is_imported(imports):
    """The file holds all layers, under the names of an earlier version."""
    path = ROOT / "tests/golden/models_2026-11/layers.keras"
    code = (
        f"import sys\n{imports}\n"
        "assert 'mallenet_tf.models' not in sys.modules\n"
        "print(keras.saving.load_model(sys.argv[1]).name)\n"
    )
    assert run(code, str(path)).split() == ["layers"]


def test_the_registry_lists_every_registered_name():
    registered = keras.saving.get_custom_objects()
    names = {name.removeprefix(PREFIX) for name in registered if name.startswith(PREFIX)}
    assert names == set(REGISTERED_NAMES)
    assert all(inspect.isclass(registered[PREFIX + name]) for name in names)
