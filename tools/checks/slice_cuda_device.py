"""The slicing op on a CUDA device without any framework: build, allocate, copy, run, time.

What `tools/checks/check_slice_cuda.py` needs of a device, over the C interface in
custom_ops/malleable_slice/tests/slice_gpu_api.cu.cc.
"""

from __future__ import annotations

import ctypes
import importlib.util
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "custom_ops" / "malleable_slice"
SOURCES = [FOLDER / "malleable_slice_gpu.cu.cc", FOLDER / "tests" / "slice_gpu_api.cu.cc"]


class CheckError(RuntimeError):
    """The check cannot run here; the message says what is missing."""


def load_builder() -> ModuleType:
    """Imports mallenet_tf/ops/build.py by its path: the package itself needs Keras."""
    path = ROOT / "mallenet_tf" / "ops" / "build.py"
    spec = importlib.util.spec_from_file_location("mallenet_native_build", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def build_library(folder: Path) -> Path:
    """Compiles the launchers and their C interface into a shared library in `folder`.

    Raises:
        CheckError: nvcc is missing or fails.
    """
    builder = load_builder()
    library = folder / "libslice_cuda.so"
    try:
        nvcc = builder.find_nvcc()
        if nvcc is None:
            raise CheckError("nvcc was not found (install the CUDA toolkit, or name one in NVCC)")
        flags = [*builder.CUDA_FLAGS, *builder.cuda_code_flags(nvcc), "-shared", "-o", library]
    except builder.BuildError as error:
        raise CheckError(str(error)) from error
    done = subprocess.run([nvcc, *flags, *SOURCES], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CheckError(f"nvcc failed with status {done.returncode}:\n{done.stderr.strip()}")
    return library


class Device:
    """The first CUDA device, through the library that `build_library` makes."""

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
        """Calls a function that returns null or a message; raises that."""
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

    def seconds(self, work: Callable[[], None], repeats: int, burst: int = 10) -> float:
        """Returns the median over `repeats` bursts of the time of one call on the device."""
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
    """Inputs and results of one size and type on the device, and the op on them."""

    def __init__(
        self, device: Device, sizes: Sequence[int], dtype: str, inputs: Sequence[np.ndarray]
    ):
        self.device = device
        self._type = dtype.encode()
        self._sizes = (ctypes.c_int64 * 7)(*sizes)
        self._inputs = [device.upload(array) for array in inputs]
        # Filled with ones' bits, which are NaN in every type: what is not written shows.
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
