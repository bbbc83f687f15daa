"""What the tests of the ops share: cases, the reference loops, and both implementations."""

import shutil
from dataclasses import dataclass

import numpy as np
import pytest

from mallenet_tf.ops import loader
from mallenet_tf.ops.native_build import library, sources
from tests.helpers.reference_loops import BottleneckReference, SliceReference
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


@pytest.fixture(scope="session")
def slice_by_loops(tmp_path_factory):
    """Returns slice_by_loops(features, kernels, bias, output_grad=None), the loops of reference.h.

    It returns the output, or with an output_grad the output and the gradients of all inputs.
    """
    return SliceReference(tmp_path_factory.mktemp("slice_reference")).results


@pytest.fixture(scope="session")
def bottleneck_by_loops(tmp_path_factory):
    """Returns bottleneck_by_loops(features, *parameters), the loops of reference.h."""
    return BottleneckReference(tmp_path_factory.mktemp("bottleneck_reference")).output


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
    monkeypatch.setattr(sources, "source_root", lambda: root)
    monkeypatch.setattr(library, "package_folder", lambda: root / "_native")
    monkeypatch.setattr(loader, "_outcome", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(loader.MODE_VARIABLE, raising=False)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.delenv("CXXFLAGS", raising=False)
    return root
