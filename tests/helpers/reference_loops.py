"""The reference loops in custom_ops/*/reference.h, for NumPy arrays."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def compile_reference(op: str, folder: Path) -> ctypes.CDLL:
    """Compiles the C interface of an op's reference loops."""
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    source = REPOSITORY / "custom_ops" / op / "tests" / "reference_c_api.cc"
    library = folder / f"lib{op}_reference.so"
    warnings = ["-Wall", "-Wextra", "-Werror"]
    command = ["g++", "-std=c++17", "-O1", "-shared", "-fPIC", *warnings, "-I", REPOSITORY]
    subprocess.run([*command, source, "-o", library], check=True)
    return ctypes.CDLL(str(library))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return array.ctypes.data_as(ctypes.c_void_p)


class SliceReference:
    """The loops of malleable_slice."""

    def __init__(self, folder: Path) -> None:
        self._library = compile_reference("malleable_slice", folder)

    def results(self, features, kernels, bias, output_grad=None):
        """Returns the output, or with an `output_grad` the output and the three gradients."""
        grid, taps = kernels.shape[1:3], kernels.shape[3]
        sizes = (ctypes.c_int64 * 7)(*features.shape, *grid, round(taps**0.5))
        grad = np.zeros(features.shape) if output_grad is None else output_grad
        inputs = [np.ascontiguousarray(a, np.float64) for a in (features, kernels, bias, grad)]
        results = [np.zeros(a.shape) for a in (features, features, kernels, bias)]
        self._library.slice_reference(sizes, *map(pointer, inputs), *map(pointer, results))
        return results[0] if output_grad is None else results


class BottleneckReference:
    """The loops of inverted_bottleneck."""

    def __init__(self, folder: Path) -> None:
        self._library = compile_reference("inverted_bottleneck", folder)

    def output(self, features, *parameters):
        sizes = (ctypes.c_int64 * 5)(*features.shape, parameters[0].shape[-1])
        features, *parameters = (
            np.ascontiguousarray(a, np.float32) for a in (features, *parameters)
        )
        weights = (ctypes.c_void_p * len(parameters))(*map(pointer, parameters))
        output = np.zeros(features.shape)
        self._library.bottleneck_reference(sizes, pointer(features), weights, pointer(output))
        return output
