"""What the tests of the op share: cases, an independent oracle, and both implementations."""

import shutil
from dataclasses import dataclass

import numpy as np
import pytest

from mallenet_tf.ops import build, loader
from tests.helpers.small_library import SOURCE, write_source


@dataclass(frozen=True)
class Case:
    """Inputs of one call, float64, and a weight for every output value."""

    features: np.ndarray
    kernels: np.ndarray
    bias: np.ndarray
    output_grad: np.ndarray

    def cast(self, dtype):
        import tensorflow as tf

        return [
            tf.cast(array, dtype)
            for array in (self.features, self.kernels, self.bias, self.output_grad)
        ]


@pytest.fixture(scope="session")
def make_case():
    """Returns make_case(N, H, W, C, h, w, K): random values of order 1."""

    def make(batch, height, width, channels, grid_height, grid_width, size, seed=0):
        rng = np.random.default_rng(seed)
        image, grid = (batch, height, width, channels), (batch, grid_height, grid_width)
        return Case(
            rng.standard_normal(image),
            rng.standard_normal((*grid, size * size, channels)),
            rng.standard_normal((*grid, channels)),
            rng.standard_normal(image),
        )

    return make


def _mixed_cells(pixel, size, cells):
    """The cells that a pixel mixes, with their weights, from the formula in floating point."""
    position = min(max((pixel + 0.5) * cells / size - 0.5, 0.0), cells - 1.0)
    lower = min(int(position), cells - 1)
    upper = min(lower + 1, cells - 1)
    return [(lower, 1 - (position - lower)), (upper, position - lower)]


@pytest.fixture(scope="session")
def slice_by_loops():
    """Returns an oracle: the equations as loops over single numbers, in NumPy."""

    def slice_(features, kernels, bias):
        batch, height, width, channels = features.shape
        _, grid_height, grid_width, taps, _ = kernels.shape
        size = round(taps**0.5)
        output = np.zeros(features.shape)
        for n, y, x, c in np.ndindex(batch, height, width, channels):
            for v, row_weight in _mixed_cells(y, height, grid_height):
                for u, column_weight in _mixed_cells(x, width, grid_width):
                    total = bias[n, v, u, c]
                    for ky, kx in np.ndindex(size, size):
                        near_y, near_x = y + ky - size // 2, x + kx - size // 2
                        if 0 <= near_y < height and 0 <= near_x < width:
                            tap = kernels[n, v, u, ky * size + kx, c]
                            total += tap * features[n, near_y, near_x, c]
                    output[n, y, x, c] += row_weight * column_weight * total
        return output

    return slice_


@pytest.fixture(scope="session")
def native():
    """The module of native ops; skips where it cannot be built."""
    from mallenet_tf.ops import load_native

    module = load_native()
    if module is None:
        # With a compiler at hand its absence is a defect, which must not pass as a skip.
        assert shutil.which("g++") is None, "g++ is there, but the native op does not load"
        pytest.skip("needs the native op, and there is no C++ compiler to build it")
    return module


@pytest.fixture(params=["native", "reference"])
def implementation(request):
    """Runs a test with each implementation."""
    if request.param == "native":
        request.getfixturevalue("native")
    return request.param


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A source tree of one function, empty library folders, and a loader that has tried nothing."""
    root = tmp_path / "root"
    write_source(root, SOURCE % 42)
    monkeypatch.setattr(build, "source_root", lambda: root)
    monkeypatch.setattr(build, "package_folder", lambda: root / "_native")
    monkeypatch.setattr(loader, "_outcome", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(loader.MODE_VARIABLE, raising=False)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.delenv("CXXFLAGS", raising=False)
    return root
