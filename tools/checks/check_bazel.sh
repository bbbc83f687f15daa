#!/bin/sh
# Builds the native op with Bazel, runs the check of its CPU kernels, and compares the library's
# output and gradients with the reference.
# PYTHON_BIN_PATH names the interpreter that has TensorFlow; python3 by default.
set -eu
cd "$(dirname "$0")/.."

if ! command -v bazel >/dev/null; then
    echo "error: bazel is not installed (Debian and Ubuntu: apt install bazel-bootstrap)" >&2
    exit 1
fi
PYTHON_BIN_PATH=${PYTHON_BIN_PATH:-python3}
export PYTHON_BIN_PATH

trap 'bazel shutdown' EXIT # its server would stay for hours
# Without links to Bazel's folders in this one: tools that walk the tree would follow them.
bazel build --symlink_prefix=/ //custom_ops/malleable_slice/...
bazel test --symlink_prefix=/ --test_output=errors //custom_ops/malleable_slice/...
library=$(bazel info bazel-bin)/custom_ops/malleable_slice/libmalleable_slice.so

# Nothing but this library may be loaded.
MALLENET_NATIVE_OP=off PYTHONPATH=. "$PYTHON_BIN_PATH" - "$library" <<'END'
import sys

import numpy as np
import tensorflow as tf

from mallenet_tf import ops

native = tf.load_op_library(sys.argv[1])
random = np.random.default_rng(0)
sizes = (2, 37, 29, 5), (2, 5, 3, 9, 5), (2, 5, 3, 5), (2, 37, 29, 5)
features, kernels, bias, output_grad = (tf.constant(random.normal(size=size)) for size in sizes)
with tf.GradientTape() as tape:
    tape.watch([features, kernels, bias])
    wanted = ops.malleable_slice_reference(features, kernels, bias)
wanted_grads = tape.gradient(wanted, [features, kernels, bias], output_grad)
found = native.malleable_slice(features=features, kernels=kernels, bias=[bias])
grads = native.malleable_slice_grad(
    features=features, kernels=kernels, output_grad=output_grad, num_bias=1
)
found_grads = [grads.features_grad, grads.kernels_grad, *grads.bias_grad]
for one, other in zip([found, *found_grads], [wanted, *wanted_grads], strict=True):
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-11)
print(f"{sys.argv[1]} agrees with the reference")
END
