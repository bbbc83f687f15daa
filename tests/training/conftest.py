"""How the training tests start processes of their own."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def environment(repository) -> dict[str, str]:
    """For a process that imports the package and these tests' helpers, on the CPU alone."""
    folders = [str(repository), str(Path(__file__).resolve().parent)]
    inherited = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*folders, *([inherited] if inherited else [])]),
        "CUDA_VISIBLE_DEVICES": "-1",
    }
