"""How the training tests start processes of their own."""

import os

import pytest


@pytest.fixture(scope="session")
def environment(repository) -> dict[str, str]:
    """For a process that imports the package and these tests' helpers, on the CPU alone."""
    folders = [str(repository)]
    inherited = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*folders, *([inherited] if inherited else [])]),
        "CUDA_VISIBLE_DEVICES": "-1",
    }
