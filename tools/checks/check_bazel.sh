#!/bin/sh
# Builds the native ops with Bazel, runs the checks of their CPU kernels, and compares the libraries
# with the references. PYTHON_BIN_PATH names the interpreter that has TensorFlow; python3 by default.
set -eu
cd "$(dirname "$0")/../.."

if ! command -v bazel >/dev/null; then
    echo "error: bazel is not installed (Debian and Ubuntu: apt install bazel-bootstrap)" >&2
    exit 1
fi
PYTHON_BIN_PATH=${PYTHON_BIN_PATH:-python3}
export PYTHON_BIN_PATH

trap 'bazel shutdown' EXIT # Its server would stay for hours.
# Without links to Bazel's folders in this one: tools that walk the tree would follow them.
bazel build --symlink_prefix=/ //custom_ops/...
bazel test --symlink_prefix=/ --test_output=errors //custom_ops/...
folder=$(bazel info bazel-bin)/custom_ops

# Loads no other library than these two.
MALLENET_NATIVE_OP=off PYTHONPATH=. "$PYTHON_BIN_PATH" - "$folder" <<'END'
import sys

import numpy as np
import tensorflow as tf

from mallenet_tf import ops

random = np.random.default_rng(0)


def check_malleable_slice(path):
    native = tf.load_op_library(path)
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


def check_inverted_bottleneck(path):
    native = tf.load_op_library(path)
    sizes = [(2, 17, 13, 5), (1, 1, 5, 15), (15,), (1, 1, 15), (3, 3, 15, 1), (15,), (1, 1, 15)]
    sizes += [(1, 1, 15, 5), (5,)]
    arguments = [tf.constant(random.normal(0, 0.5, size), tf.float32) for size in sizes]
    wanted = ops.inverted_bottleneck_reference(*arguments)
    np.testing.assert_allclose(native.inverted_bottleneck(*arguments), wanted, rtol=0, atol=1e-5)


for op, check in (
    ("malleable_slice", check_malleable_slice),
    ("inverted_bottleneck", check_inverted_bottleneck),
):
    path = f"{sys.argv[1]}/{op}/lib{op}.so"
    check(path)
    print(f"{path} agrees with the reference")
END
