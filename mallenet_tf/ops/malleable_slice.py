"""The public op: checks its arguments, then runs the native op or the reference."""

import functools
import logging
import math
from types import ModuleType
from typing import Any

import keras

from mallenet_tf.ops.loader import build_command, load_native, run_once
from mallenet_tf.ops.reference import malleable_slice_reference

Tensor = Any

_logger = logging.getLogger("mallenet_tf")

IMPLEMENTATIONS = ("auto", "native", "reference")
_DTYPES = ("float16", "bfloat16", "float32", "float64")


def malleable_slice(
    features: Tensor,
    kernels: Tensor,
    bias: Tensor | None = None,
    *,
    implementation: str = "auto",
) -> Tensor:
    """Filters every pixel with kernels interpolated from a low-resolution grid.

    MalleConv (Jiang et al. 2022), equations (1) and (2). The kernels and the bias are interpolated
    bilinearly at half-pixel centres, clamped at the border, as bilinear `tf.image.resize` does,
    and applied to each channel separately, as `DepthwiseConv2D` with zero padding would. The native
    op never stores the interpolated kernels, and its gradients are the same bits for any number of
    threads. It has first-order gradients only.

    Args:
        features: [N, H, W, C], float16, bfloat16, float32 or float64. H and W may be unknown when a
            graph is traced.
        kernels: [N, h, w, K*K, C], same type; K odd, tap ky * K + kx. Any h, w >= 1.
        bias: [N, h, w, C], same type, or None.
        implementation: "native" or "reference" asks for that one. "auto" takes the native op on
            Keras's TensorFlow backend, and the reference on other backends, under XLA
            (`jit_compile=True`), where the library is not available (logged once), and on GPUs that
            the library has no kernel for.

    Returns:
        [N, H, W, C], the type of features. Half-precision types are summed in float32.

    Raises:
        ValueError: a rank, size, type or the implementation does not fit, or "native" is asked for
            where it cannot run.
    """
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(
            f"`implementation` must be one of {', '.join(IMPLEMENTATIONS)}. "
            f"Received: implementation={implementation!r}"
        )
    features = _to_tensor("features", features)
    kernels = _to_tensor("kernels", kernels)
    bias = None if bias is None else _to_tensor("bias", bias)
    _check(features, kernels, bias)
    native = None if implementation == "reference" else _native_or_none(implementation)
    if native is None:
        return malleable_slice_reference(features, kernels, bias)
    return native.malleable_slice(
        features=features, kernels=kernels, bias=[] if bias is None else [bias]
    )


def _to_tensor(name: str, value: Any) -> Tensor:
    """Converts arrays; refuses the placeholders of Keras's functional API, which hold no values."""
    if isinstance(value, keras.KerasTensor):
        raise ValueError(
            f"`{name}` must be a tensor or an array; in a functional model use "
            f"mallenet_tf.layers.MalleConv, or call this op in a layer. Received: {name}={value}"
        )
    return keras.ops.convert_to_tensor(value)


def _check(features: Tensor, kernels: Tensor, bias: Tensor | None) -> None:
    """Checks types, ranks and those sizes that are known."""
    dtype = keras.backend.standardize_dtype(features.dtype)
    if dtype not in _DTYPES:
        raise ValueError(
            f"`features` must be of type {', '.join(_DTYPES)}. Received: features.dtype={dtype}"
        )
    _check_rank("features", features, 4, "[N, H, W, C]")
    _check_rank("kernels", kernels, 5, "[N, h, w, K*K, C]")
    taps = kernels.shape[3]
    if taps is None or math.isqrt(taps) ** 2 != taps or taps % 2 == 0:
        raise ValueError(
            "Dimension 3 of `kernels` must be K * K for an odd K. "
            f"Received: kernels.shape={tuple(kernels.shape)}"
        )
    others = {"kernels": kernels} if bias is None else {"kernels": kernels, "bias": bias}
    for name, tensor in others.items():
        if keras.backend.standardize_dtype(tensor.dtype) != dtype:
            raise ValueError(
                f"`{name}` must have the type of `features`, {dtype}. "
                f"Received: {name}.dtype={keras.backend.standardize_dtype(tensor.dtype)}"
            )
    _check_sizes("kernels", kernels, (0, 4), "features", features, (0, 3))
    if 0 in kernels.shape[1:3]:
        raise ValueError(
            "`kernels` must have at least one grid cell. "
            f"Received: kernels.shape={tuple(kernels.shape)}"
        )
    if bias is not None:
        _check_rank("bias", bias, 4, "[N, h, w, C]")
        _check_sizes("bias", bias, (0, 1, 2, 3), "kernels", kernels, (0, 1, 2, 4))


def _check_rank(name: str, tensor: Tensor, rank: int, layout: str) -> None:
    if len(tensor.shape) != rank:
        raise ValueError(
            f"`{name}` must have rank {rank}, {layout}. "
            f"Received: {name}.shape={tuple(tensor.shape)}"
        )


def _check_sizes(
    name: str,
    tensor: Tensor,
    axes: tuple[int, ...],
    other_name: str,
    other: Tensor,
    other_axes: tuple[int, ...],
) -> None:
    """Checks that dimensions are equal wherever both are known."""
    for axis, other_axis in zip(axes, other_axes, strict=True):
        size, wanted = tensor.shape[axis], other.shape[other_axis]
        if size is not None and wanted is not None and size != wanted:
            raise ValueError(
                f"Dimension {axis} of `{name}` must equal dimension {other_axis} of "
                f"`{other_name}`, {wanted}. Received: {name}.shape={tuple(tensor.shape)}"
            )


def _native_or_none(implementation: str) -> ModuleType | None:
    """Returns the native ops if they are asked for or can be used here, else None.

    Raises:
        ValueError: they are asked for and cannot be used.
    """
    required = implementation == "native"
    obstacle = None
    if keras.backend.backend() != "tensorflow":
        obstacle = f"needs Keras's TensorFlow backend, and this is {keras.backend.backend()}"
    elif _traced_for_xla():
        obstacle = "cannot be compiled by XLA (jit_compile=True)"
    elif not required and _gpu_without_kernel():
        return None
    native = None
    if obstacle is None:
        native = load_native()
        if native is not None:
            _register_gradients(native)
            return native
        obstacle = "is not available: the log says why, and how to build it"
    if required:
        raise ValueError(
            f"The native malleable_slice {obstacle}; use 'auto' or 'reference'. "
            f"Received: implementation={implementation!r}"
        )
    return None


def _traced_for_xla() -> bool:
    """Says whether a function is being traced that XLA is going to compile."""
    import tensorflow as tf

    if tf.executing_eagerly():
        return False
    graph: Any = tf.compat.v1.get_default_graph()
    while graph is not None:
        # TensorFlow has no public way to ask; tf.function marks what it compiles like this.
        context = graph._get_control_flow_context()
        while context is not None:
            if context.IsXLAContext():
                return True
            context = context.outer_context
        graph = getattr(graph, "outer_graph", None)
    return False


@functools.cache
def _gpu_without_kernel() -> bool:
    """Says whether TensorFlow uses a GPU for which the library has no kernel; logs it once."""
    import tensorflow as tf
    from tensorflow.python.framework import kernels

    if not tf.config.list_logical_devices("GPU") or load_native() is None:
        return False
    registered = kernels.get_registered_kernels_for_op("MalleableSlice").kernel
    if any(kernel.device_type == "GPU" for kernel in registered):
        return False
    _logger.warning(
        "the native op was built without CUDA kernels; the slower reference implementation is "
        "used on GPUs. To build them, install the CUDA toolkit (nvcc) and run: %s --force",
        build_command(),
    )
    return True


@run_once
def _register_gradients(native: ModuleType) -> None:
    """Tells TensorFlow how to differentiate the native op, once a process."""
    import tensorflow as tf

    @tf.RegisterGradient("MalleableSlice")
    def _first_order(op: Any, output_grad: Tensor) -> list[Tensor]:
        features, kernels, *bias = op.inputs
        grads = native.malleable_slice_grad(
            features=features, kernels=kernels, output_grad=output_grad, num_bias=len(bias)
        )
        return [grads.features_grad, grads.kernels_grad, *grads.bias_grad]

    @tf.RegisterGradient("MalleableSliceGrad")
    def _second_order(op: Any, *grads: Tensor) -> None:
        raise NotImplementedError(
            "The native malleable_slice has no second-order gradient; "
            "use malleable_slice(..., implementation='reference')."
        )
