"""Builds, runs and times malleable_slice on a CUDA device without a framework.

`tools/checks/check_slice_cuda.py` uses it. The C interface is
custom_ops/malleable_slice/tests/cuda_c_api.cu.cc.
"""

from __future__ import annotations

import ctypes
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]

# Imported by path, because importing mallenet_tf needs Keras.
sys.path.insert(0, str(ROOT / "mallenet_tf" / "ops"))
from native_build.commands import BuildError  # noqa: E402
from native_build.compilers import CUDA_FLAGS, cuda_code_flags, find_nvcc  # noqa: E402

FOLDER = ROOT / "custom_ops" / "malleable_slice"
SOURCES = [
    FOLDER / "cuda" / "launchers.cu.cc",
    FOLDER / "tests" / "cuda_c_api.cu.cc",
    FOLDER / "tests" / "reference_c_api.cc",
]

# N, H, W, C, h, w, K
Sizes = tuple[int, int, int, int, int, int, int]


class CheckError(RuntimeError):
    """The check cannot run here; the message says what is missing."""


def build_library(folder: Path) -> Path:
    """Compiles the launchers and their C interface into a shared library in `folder`.

    Raises:
        CheckError: If nvcc is missing or fails.
    """
    library = folder / "libslice_cuda.so"
    try:
        nvcc = find_nvcc()
        if nvcc is None:
            raise CheckError("nvcc was not found (install the CUDA toolkit, or name one in NVCC)")
        flags = [*CUDA_FLAGS, *cuda_code_flags(nvcc), "-I", ROOT, "-shared", "-o", library]
    except BuildError as error:
        raise CheckError(str(error)) from error
    done = subprocess.run([nvcc, *flags, *SOURCES], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CheckError(f"nvcc failed with status {done.returncode}:\n{done.stderr.strip()}")
    return library


class Device:
    """The first CUDA device, used through the library that `build_library` compiles."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.slice_allocate.restype = ctypes.c_void_p
        name = ctypes.create_string_buffer(256)
        try:
            self.call("slice_device", name)
        except CheckError as error:
            raise CheckError(f"no GPU can be used here: {error}") from error
        self.name = name.value.decode()

    def call(self, function: str, *arguments: object) -> None:
        """Calls a function that returns null or an error message.

        Raises:
            CheckError: If it returns a message.
        """
        called = getattr(self._library, function)
        called.restype = ctypes.c_char_p
        message = called(*arguments)
        if message is not None:
            raise CheckError(f"{function}: {message.decode()}")

    def allocate(self, size: int) -> ctypes.c_void_p:
        address = self._library.slice_allocate(ctypes.c_uint64(size))
        if address is None:
            raise CheckError(f"the device has no {size} bytes left")
        return ctypes.c_void_p(address)

    def upload(self, array: np.ndarray) -> ctypes.c_void_p:
        array = np.ascontiguousarray(array)
        address = self.allocate(array.nbytes)
        source = array.ctypes.data_as(ctypes.c_void_p)
        self.call("slice_copy", address, source, ctypes.c_uint64(array.nbytes))
        return address

    def download(self, address: ctypes.c_void_p, like: np.ndarray) -> np.ndarray:
        array = np.empty_like(like)
        target = array.ctypes.data_as(ctypes.c_void_p)
        self.call("slice_copy", target, address, ctypes.c_uint64(array.nbytes))
        return array

    def reference(
        self,
        sizes: Sizes,
        features: np.ndarray,
        kernels: np.ndarray,
        bias: np.ndarray,
        output_grad: np.ndarray,
    ) -> list[np.ndarray]:
        """Computes the slice and its gradients on the host with the loops of reference.h.

        Args:
            sizes: N, H, W, C, h, w and K.
            features: [N, H, W, C], float64 like all arrays.
            kernels: [N, h, w, K*K, C].
            bias: [N, h, w, C].
            output_grad: [N, H, W, C].

        Returns:
            The output and the gradients of features, kernels and bias.
        """
        inputs = [np.ascontiguousarray(a) for a in (features, kernels, bias, output_grad)]
        results = [np.zeros(array.shape) for array in (features, features, kernels, bias)]
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in [*inputs, *results]]
        self._library.slice_reference((ctypes.c_int64 * 7)(*sizes), *pointers)
        return results

    def seconds(self, work: Callable[[], None], repeats: int, burst: int = 10) -> float:
        """Returns the time of a call on the device: the median over `repeats` bursts of calls."""
        work()
        times = []
        for _ in range(repeats):
            milliseconds = ctypes.c_float()
            self.call("slice_start_timer")
            for _ in range(burst):
                work()
            self.call("slice_stop_timer", ctypes.byref(milliseconds))
            times.append(milliseconds.value / 1000 / burst)
        return statistics.median(times)


class DeviceSlice:
    """The op on a device, for one size and type, with its inputs and results."""

    def __init__(
        self, device: Device, sizes: Sizes, dtype: str, inputs: Sequence[np.ndarray]
    ) -> None:
        self.device = device
        self._type = dtype.encode()
        self._sizes = (ctypes.c_int64 * 7)(*sizes)
        self._inputs = [device.upload(array) for array in inputs]
        # All bits set is NaN in every type, so values that are not written show.
        features, kernels, bias, _ = inputs
        self._like = [features, features, kernels, bias]
        self._results = [device.upload(np.full_like(a.view(np.uint8), 255)) for a in self._like]

    def forward(self) -> None:
        features, kernels, bias, _ = self._inputs
        arguments = [features, kernels, bias, self._results[0]]
        self.device.call("slice_forward", self._type, self._sizes, *arguments)

    def gradients(self) -> None:
        features, kernels, _, output_grad = self._inputs
        arguments = [features, kernels, output_grad, *self._results[1:]]
        self.device.call("slice_gradients", self._type, self._sizes, *arguments)

    def copy(self) -> None:
        size = ctypes.c_uint64(self._like[0].nbytes)
        self.device.call("slice_copy", self._results[0], self._inputs[0], size)

    def results(self) -> list[np.ndarray]:
        """Returns output, features_grad, kernels_grad and bias_grad."""
        pairs = zip(self._results, self._like, strict=True)
        return [self.device.download(address, like) for address, like in pairs]

    def free(self) -> None:
        for address in [*self._inputs, *self._results]:
            self.device.call("slice_free", address)
