"""What every test shares: one backend and seed, quiet logs, two threads, and real photographs."""

import os
from pathlib import Path

# Read when TensorFlow and Keras are first imported, which is after this file; processes that tests
# start inherit them. Two threads, because that is the machine the time limits are made for.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "2")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ["JAX_PLATFORMS"] = "cpu"  # on a GPU it would take most of the memory
# Half the time for tests that build the native op; those of the CUDA kernels ask for them.
os.environ["MALLENET_CUDA"] = "off"

import keras  # noqa: E402
import pytest  # noqa: E402

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Fresh weights and noise repeat, those of fixtures too: a test fails always or never."""
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's top folder."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_images() -> Path:
    """The folder with the photographs (`bsd400`, `cbsd68`, `kodak24`), which are not in git."""
    named = os.environ.get("MALLENET_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs photographs: set MALLENET_DATA to their folder (no {folder})")
    return folder
