"""The native ops: MalleConv's fused slice with its readable reference, and fused blocks."""

from mallenet_tf.ops.inverted_bottleneck import native_inverted_bottleneck
from mallenet_tf.ops.loader import load_native, native_available
from mallenet_tf.ops.malleable_slice import malleable_slice
from mallenet_tf.ops.reference import malleable_slice_reference
from mallenet_tf.ops.upsample import upsample

__all__ = [
    "load_native",
    "malleable_slice",
    "malleable_slice_reference",
    "native_available",
    "native_inverted_bottleneck",
    "upsample",
]
