"""What several training tests start from."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIZES = ((40, 33, "png"), (24, 52, "png"), (36, 36, "jpg"))


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


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """A folder with smooth color images of several sizes."""
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for number, (height, width, kind) in enumerate(SIZES):
        coarse = Image.fromarray(random.integers(0, 256, (5, 6, 3), np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{number}.{kind}")
    return folder
