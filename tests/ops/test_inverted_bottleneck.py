"""The fused inverted bottleneck is the reference, for any size, instruction set and caller."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.layers import InvertedBottleneck
from mallenet_tf.ops import (
    inverted_bottleneck,
    inverted_bottleneck_reference,
    native_bottleneck_available,
)


@pytest.fixture(scope="module")
def native():
    if not native_bottleneck_available():
        pytest.skip("needs the native op: no C++ compiler, or MALLENET_NATIVE_OP=off")
    return inverted_bottleneck


def case(shape, inner, seed=0):
    """Features and parameters, each of a size that leaves the output near one."""
    random = np.random.default_rng(seed)
    channels = shape[-1]
    shapes = [(1, 1, channels, inner), (inner,), (1, 1, inner), (3, 3, inner, 1), (inner,)]
    shapes += [(1, 1, inner), (1, 1, inner, channels), (channels,)]
    arrays = [random.normal(0, 0.3, size).astype(np.float32) for size in shapes]
    return [random.standard_normal(shape).astype(np.float32), *arrays]


CASES = [
    ((2, 33, 70, 16), 48),  # whole vectors
    ((1, 5, 1, 4), 12),  # one column, less than a vector
    ((1, 1, 7, 5), 15),  # one row, an odd number of channels
    ((3, 1, 1, 1), 1),
    ((1, 3, 400, 16), 48),  # several strips
    ((1, 9, 40, 72), 216),  # panels of all three widths
    ((1, 20, 33, 64), 192),
]


@pytest.mark.parametrize(("shape", "inner"), CASES, ids=str)
def test_native_is_the_reference(native, shape, inner):
    arguments = case(shape, inner)
    wanted = inverted_bottleneck_reference(*map(tf.constant, arguments))
    np.testing.assert_allclose(native(*arguments), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("shape", "inner"), CASES, ids=str)
def test_native_equals_the_reference_loops(native, bottleneck_by_loops, shape, inner):
    arguments = case(shape, inner)
    wanted = bottleneck_by_loops(*arguments)
    np.testing.assert_allclose(native(*arguments), wanted, rtol=1e-5, atol=1e-5)


def test_where_it_cannot_run_it_says_so(monkeypatch):
    monkeypatch.setenv("MALLENET_NATIVE_OP", "off")
    assert not native_bottleneck_available()
    with pytest.raises(RuntimeError, match="inverted_bottleneck cannot run here"):
        inverted_bottleneck(*case((1, 4, 4, 16), 48))


def test_an_empty_batch_stays_empty(native):
    assert native(*case((0, 4, 5, 16), 48)).shape == (0, 4, 5, 16)


def test_a_channel_that_is_not_finite_stays_in_its_neighbourhood(native):
    arguments = case((1, 20, 20, 16), 48)
    arguments[0][0, 10, 10] = np.nan
    output = native(*arguments).numpy()
    assert np.isnan(output[0, 9:12, 9:12]).all()
    output[0, 9:12, 9:12] = 0
    assert np.isfinite(output).all()


@pytest.mark.parametrize("index", range(1, 9))
def test_parameters_of_another_shape_are_refused(native, index):
    arguments = case((1, 4, 4, 16), 48)
    arguments[index] = arguments[index][..., :-1]
    with pytest.raises(tf.errors.InvalidArgumentError, match="inverted_bottleneck: .*Received: "):
        native(*arguments)


def test_no_inner_channels_are_refused(native):
    with pytest.raises(tf.errors.InvalidArgumentError, match="there must be inner channels"):
        native(*case((1, 4, 4, 16), 0))


def test_gradients_are_the_references(native):
    arguments = [tf.constant(array) for array in case((1, 6, 5, 4), 12)]
    direction = tf.constant(np.random.default_rng(1).standard_normal((1, 6, 5, 4)), tf.float32)
    gradients = []
    for function in (lambda *values: native(*values), inverted_bottleneck_reference):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            output = function(*arguments)
        gradients.append(tape.gradient(output, arguments, direction))
    for ours, wanted in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-6)


COMPARE = """
import sys
import numpy as np
sys.path[:0] = ["."]
from tests.ops.test_inverted_bottleneck import CASES, case
from mallenet_tf.ops import inverted_bottleneck
np.savez(sys.argv[1], *(inverted_bottleneck(*case(*shape)).numpy() for shape in CASES))
"""


@pytest.mark.parametrize("isa", ["base", "avx2"])
def test_every_instruction_set_gives_the_same(native, isa, repository, tmp_path):
    environment = {**os.environ, "MALLENET_INSTRUCTION_SET": isa}
    command = [sys.executable, "-c", COMPARE, str(tmp_path / "outputs.npz")]
    subprocess.run(command, cwd=repository, env=environment, check=True, capture_output=True)
    with np.load(tmp_path / "outputs.npz") as outputs:
        for shape, name in zip(CASES, outputs.files, strict=True):
            np.testing.assert_allclose(outputs[name], native(*case(*shape)), rtol=1e-5, atol=1e-5)


def operations(layer, **options):
    function = tf.function(lambda x: layer(x, **options), autograph=False)
    graph = function.get_concrete_function(tf.TensorSpec((1, None, None, 4))).graph
    return {operation.type for operation in graph.get_operations()}


def test_the_layer_is_fused_in_inference_only(native):
    layer = InvertedBottleneck(4)
    layer.build((None, None, None, 4))
    assert "InvertedBottleneck" in operations(layer)
    assert "InvertedBottleneck" in operations(layer, training=False)
    assert "InvertedBottleneck" not in operations(layer, training=True)


@pytest.mark.parametrize("options", [{"implementation": "reference"}, {"normalization": "batch"}])
def test_what_the_native_op_does_not_do_is_left_to_keras(native, options):
    layer = InvertedBottleneck(4, **options)
    layer.build((None, None, None, 4))
    assert "InvertedBottleneck" not in operations(layer)


def test_mixed_precision_is_left_to_keras(native):
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        layer = InvertedBottleneck(4)
        layer.build((None, None, None, 4))
        assert "InvertedBottleneck" not in operations(layer)
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def test_the_fused_layer_computes_what_its_parts_do(native):
    fused, parts = InvertedBottleneck(4), InvertedBottleneck(4, implementation="reference")
    images = np.random.default_rng(0).standard_normal((1, 9, 11, 4)).astype(np.float32)
    fused(images), parts(images)
    for variable in fused.variables:  # PReLUs and biases start at zero
        variable.assign(np.random.default_rng(1).standard_normal(variable.shape))
    parts.set_weights(fused.get_weights())
    np.testing.assert_allclose(fused(images), parts(images), rtol=1e-4, atol=1e-4)
