"""Two small trained networks, their files, and images to export them with."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.two_levels import TwoLevels, trained


@pytest.fixture(scope="session")
def conditioned() -> TwoLevels:
    """Color, told the noise level, with batch normalization."""
    return trained(noise_conditioned=True, normalization="batch")


@pytest.fixture(scope="session")
def gray() -> TwoLevels:
    """Gray, for one noise level, without normalization."""
    return trained(image_channels=1, trained_sigma=15.0)


@pytest.fixture(scope="session")
def weights(conditioned, gray, tmp_path_factory) -> dict[str, Path]:
    """Both networks' files, by name."""
    folder = tmp_path_factory.mktemp("weights")
    paths = {"conditioned": folder / "conditioned.keras", "gray": folder / "gray.keras"}
    conditioned.save(paths["conditioned"])
    gray.save(paths["gray"])
    return paths


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """A folder of small images that stand in for photographs: smooth, with edges."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(1)
    for number, size in zip(range(6), itertools.cycle([(64, 48), (40, 56)]), strict=False):
        coarse = random.integers(0, 256, (6, 5, 3), np.uint8)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(
            folder / f"{number}.png"
        )
    return folder
