"""The implementations that tools/benchmarks/bench_slice.py compares, and their inputs.

All compute MalleConv's equations (1) and (2) on the same random arrays. "per_pixel" gets kernels of
full resolution, as from a network that predicts one per pixel, and does not interpolate.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from mallenet_tf import ops
from mallenet_tf.common.errors import UserError

Tensor = Any
Slice = Callable[[Tensor, Tensor, Tensor], Tensor]
Shape = tuple[int, int, int, int]

# MalleNet's predictor averages 4 x 4 pixels and takes the maximum of 2 x 2 averages.
GRID_STEP = 8


@dataclass(frozen=True)
class Case:
    """One problem: features of `shape` [N, H, W, C] and K x K kernels on the coarse grid."""

    shape: Shape
    kernel_size: int

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape))} K={self.kernel_size}"

    @property
    def values(self) -> int:
        """Number of values of the features."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Implementation:
    """A function of features, kernels and bias, and how to run it.

    Args:
        function: Computes the output.
        kernel_sizes: Kernel sizes that it supports.
        full_resolution: Whether it takes a kernel for each pixel.
        framework: "graph" or "eager" for TensorFlow, "xla" or "torch".
    """

    function: Slice
    kernel_sizes: tuple[int, ...] = (1, 3)
    full_resolution: bool = False
    framework: str = "graph"


def native(features: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    """Runs the native op of this package."""
    return ops.malleable_slice(features, kernels, bias, implementation="native")


def composition(features: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    """Slices with TensorFlow's ops: resized kernels, tap by tap on shifted features."""
    size = features.shape[1:3]
    return _apply(
        features,
        [tf.image.resize(kernels[:, :, :, tap], size) for tap in range(kernels.shape[3])],
        tf.image.resize(bias, size),
    )


def composition_patches(features: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    """Slices with TensorFlow's ops for K > 1, all taps at once on `tf.image.extract_patches`."""
    batch, height, width, channels = features.shape
    taps = kernels.shape[3]
    side = math.isqrt(taps)
    patches = tf.image.extract_patches(
        features, [1, side, side, 1], [1, 1, 1, 1], [1, 1, 1, 1], "SAME"
    )
    flat = tf.reshape(kernels, [batch, *kernels.shape[1:3], taps * channels])
    products = patches * tf.image.resize(flat, (height, width))
    total = tf.reduce_sum(tf.reshape(products, [batch, height, width, taps, channels]), 3)
    return total + tf.image.resize(bias, (height, width))


def per_pixel(features: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    """Applies a given kernel for each pixel."""
    # One tap needs no unstacking, which would copy.
    alone = kernels.shape[3] == 1
    return _apply(
        features, [tf.squeeze(kernels, 3)] if alone else tf.unstack(kernels, axis=3), bias
    )


def _apply(features: Tensor, kernels: Sequence[Tensor], bias: Tensor) -> Tensor:
    """Sums shifted features times full-resolution kernels, and the bias."""
    _, height, width, _ = features.shape
    side = math.isqrt(len(kernels))
    radius = side // 2
    padded = features
    if radius:
        padded = tf.pad(features, [[0, 0], [radius, radius], [radius, radius], [0, 0]])
    output = bias
    for tap, kernel in enumerate(kernels):
        y, x = divmod(tap, side)
        output += padded[:, y : y + height, x : x + width] * kernel
    return output


def torch_composition(features: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    """Slices with PyTorch's ops, on [N, C, H, W] in channels-last memory."""
    from torch.nn import functional

    features = features.permute(0, 3, 1, 2)
    height, width = features.shape[2:]

    def resize(grid: Tensor) -> Tensor:
        return functional.interpolate(grid.permute(0, 3, 1, 2), (height, width), mode="bilinear")

    side = math.isqrt(kernels.shape[3])
    radius = side // 2
    padded = functional.pad(features, [radius] * 4) if radius else features
    output = resize(bias)
    for tap in range(side * side):
        y, x = divmod(tap, side)
        output = output + padded[:, :, y : y + height, x : x + width] * resize(
            kernels[:, :, :, tap]
        )
    return output.permute(0, 2, 3, 1)


IMPLEMENTATIONS = {
    "native": Implementation(native),
    "composition": Implementation(composition),
    "native_eager": Implementation(native, framework="eager"),
    "composition_eager": Implementation(composition, framework="eager"),
    "composition_patches": Implementation(composition_patches, kernel_sizes=(3,)),
    "composition_xla": Implementation(composition, framework="xla"),
    # The package's own reference interpolates with gathers, which suits XLA better.
    "reference_xla": Implementation(ops.malleable_slice_reference, framework="xla"),
    "per_pixel": Implementation(per_pixel, full_resolution=True),
    "torch": Implementation(torch_composition, framework="torch"),
}


def parse_shapes(text: str) -> list[Shape]:
    """Parses `--shapes`: "1x256x256x16,..."."""
    shapes = []
    for word in text.split(","):
        sizes = word.strip().split("x")
        if len(sizes) != 4 or not all(size.isdecimal() and int(size) > 0 for size in sizes):
            raise UserError(f"A shape is four sizes, like 1x256x256x16. Received: --shapes={text}")
        batch, height, width, channels = map(int, sizes)
        shapes.append((batch, height, width, channels))
    return shapes


def torch_installed() -> bool:
    """Returns whether PyTorch is installed."""
    return importlib.util.find_spec("torch") is not None


def make_inputs(case: Case, full_resolution: bool) -> list[tf.Tensor]:
    """Returns features, kernels, bias and the gradient of the output, uniform in [0, 1)."""
    batch, height, width, channels = case.shape
    step = 1 if full_resolution else GRID_STEP
    grid = (batch, math.ceil(height / step), math.ceil(width / step))
    shapes = (
        case.shape,
        (*grid, case.kernel_size**2, channels),
        (*grid, channels),
        case.shape,
    )
    return [
        tf.random.stateless_uniform(shape, seed=(index, 0)) for index, shape in enumerate(shapes)
    ]


def compile_call(
    implementation: Implementation,
    inputs: Sequence[tf.Tensor],
    backward: bool,
    repeats: int = 1,
) -> Callable[[], list[np.ndarray]]:
    """Returns a function that computes the output and, if `backward`, the three gradients.

    The function blocks until the results are complete and returns them as views of their memory. It
    repeats the op `repeats` times, in one graph if there is a graph, and returns the last results:
    a network calls its graph once for all layers, and the call costs more than the op on a small
    image.
    """
    if implementation.framework == "torch":
        return _torch_call(implementation.function, inputs, backward, repeats)
    function = _with_gradients(implementation.function) if backward else implementation.function
    arguments = inputs if backward else inputs[:3]
    if implementation.framework == "eager":
        return _loop(function, arguments, repeats)
    if implementation.framework == "xla":  # would optimize the repeats of `_repeated` away
        return _loop(tf.function(function, jit_compile=True, autograph=False), arguments, repeats)
    if repeats > 1:
        function = _repeated(function, repeats)
    return _loop(tf.function(function, autograph=False), arguments, 1)


def _with_gradients(function: Slice) -> Callable[..., list[Tensor]]:
    def forward_and_backward(
        features: Tensor, kernels: Tensor, bias: Tensor, output_grad: Tensor
    ) -> list[Tensor]:
        inputs = [features, kernels, bias]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            output = function(*inputs)
        return [output, *tape.gradient(output, inputs, output_grad)]

    return forward_and_backward


def _loop(
    function: Callable[..., Any], arguments: Sequence[tf.Tensor], repeats: int
) -> Callable[[], list[np.ndarray]]:
    def call() -> list[np.ndarray]:
        for _ in range(repeats):
            results = tf.nest.flatten(function(*arguments))
        return [np.asarray(memoryview(result)) for result in results]

    return call


def _repeated(function: Callable[..., Any], repeats: int) -> Callable[..., list[Tensor]]:
    """Returns a function that calls another `repeats` times, one call after the other."""

    def loop(features: Tensor, kernels: Tensor, bias: Tensor, *others: Tensor) -> list[Tensor]:
        def again(
            index: Tensor, kernels: Tensor, bias: Tensor, *previous: Tensor
        ) -> tuple[Tensor, ...]:
            # Makes each call depend on the one before, through the smallest inputs, so that the
            # graph optimizer cannot reuse results.
            nothing = 1e-30 * previous[0][0, 0, 0, 0]
            kernels, bias = kernels + nothing, bias + nothing
            results = tf.nest.flatten(function(features, kernels, bias, *others))
            return index + 1, kernels, bias, *results

        first = tf.nest.flatten(function(features, kernels, bias, *others))
        state = (tf.constant(1), kernels, bias, *first)
        return tf.while_loop(
            lambda index, *_: index < repeats, again, state, parallel_iterations=1
        )[3:]

    return loop


def _torch_call(
    function: Slice, inputs: Sequence[tf.Tensor], backward: bool, repeats: int
) -> Callable[[], list[np.ndarray]]:
    import torch

    *arguments, output_grad = (
        torch.from_dlpack(tf.experimental.dlpack.to_dlpack(tensor)) for tensor in inputs
    )
    for argument in arguments:
        argument.requires_grad_(backward)

    def call() -> list[np.ndarray]:
        for _ in range(repeats):
            output = function(*arguments)
            grads = torch.autograd.grad(output, arguments, output_grad) if backward else ()
        return [result.detach().numpy() for result in (output, *grads)]

    return call


def size_in_bytes(tensors: Sequence[tf.Tensor]) -> int:
    """Returns the bytes of the tensors' values."""
    return sum(tensor.dtype.size * tensor.shape.num_elements() for tensor in tensors)
