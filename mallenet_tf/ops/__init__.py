"""The fused native ops, each beside its readable reference."""

from mallenet_tf.ops.bottleneck_op import (
    inverted_bottleneck,
    inverted_bottleneck_reference,
    native_bottleneck_available,
)
from mallenet_tf.ops.loader import load_native, native_available
from mallenet_tf.ops.slice_op import IMPLEMENTATIONS, malleable_slice, malleable_slice_reference
from mallenet_tf.ops.upsampling import upsample

__all__ = [
    "IMPLEMENTATIONS",
    "inverted_bottleneck",
    "inverted_bottleneck_reference",
    "load_native",
    "malleable_slice",
    "malleable_slice_reference",
    "native_available",
    "native_bottleneck_available",
    "upsample",
]
