"""malleable_slice inside TensorFlow and Keras: graphs, XLA, training, threads, odd numbers."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.ops import malleable_slice

UNKNOWN = [
    tf.TensorSpec((None, None, None, 16)),
    tf.TensorSpec((None, None, None, 9, 16)),
    tf.TensorSpec((None, None, None, 16)),
]


def value_and_gradients(*inputs, implementation):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = malleable_slice(*inputs, implementation=implementation)
        loss = tf.reduce_sum(output * output)
    return output, *tape.gradient(loss, inputs)


def test_native_equals_reference_eagerly_and_in_graphs(make_case, native):
    *inputs, _ = make_case(2, 19, 22, 16, 5, 4, 3).cast("float32")
    expected = value_and_gradients(*inputs, implementation="reference")
    in_graph = tf.function(value_and_gradients)
    of_any_size = tf.function(
        lambda *args: value_and_gradients(*args, implementation="native"), input_signature=UNKNOWN
    )
    for computed in (
        value_and_gradients(*inputs, implementation="native"),
        in_graph(*inputs, implementation="native"),
        in_graph(*inputs, implementation="reference"),
        of_any_size(*inputs),
    ):
        for left, right in zip(computed, expected, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-4)


def test_one_graph_serves_every_size(make_case, implementation):
    graph = tf.function(
        lambda *args: malleable_slice(*args, implementation=implementation),
        input_signature=UNKNOWN,
    )
    for sizes in ((1, 7, 5, 16, 2, 3, 3), (3, 16, 8, 16, 4, 2, 3), (1, 1, 1, 16, 1, 1, 3)):
        *inputs, _ = make_case(*sizes).cast("float32")
        eager = malleable_slice(*inputs, implementation=implementation)
        np.testing.assert_allclose(graph(*inputs), eager, rtol=1e-6, atol=1e-6)
    assert graph.experimental_get_tracing_count() == 1


def test_features_are_not_overwritten(make_case, native):
    # The kernel may write into its input where nobody else holds it; here somebody does.
    features, kernels, bias, _ = make_case(1, 8, 8, 16, 2, 2, 1).cast("float32")
    before = features.numpy().copy()
    malleable_slice(features, kernels, bias, implementation="native")
    np.testing.assert_array_equal(features, before)

    @tf.function
    def reused(features, kernels):
        doubled = features * 2
        sliced = malleable_slice(doubled, kernels, implementation="native")
        return sliced, malleable_slice(sliced * 1.5, kernels, implementation="native"), doubled

    sliced, twice, doubled = reused(features, kernels)
    np.testing.assert_array_equal(doubled, before * 2)
    np.testing.assert_allclose(sliced * 1.5 * sliced / doubled, twice, rtol=1e-4)


def test_auto_takes_the_reference_under_xla(make_case, native):
    *inputs, _ = make_case(2, 8, 12, 16, 2, 3, 3).cast("float32")
    compiled = tf.function(malleable_slice, jit_compile=True)
    expected = malleable_slice(*inputs, implementation="native")
    np.testing.assert_allclose(compiled(*inputs), expected, rtol=1e-4, atol=1e-5)
    # Also where the function that is compiled calls another one that is not.
    inner = tf.function(malleable_slice)
    outer = tf.function(lambda *args: inner(*args), jit_compile=True)
    np.testing.assert_allclose(outer(*inputs), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="cannot be compiled by XLA.*implementation='native'"):
        tf.function(malleable_slice, jit_compile=True)(*inputs, implementation="native")


def test_auto_takes_the_native_op_elsewhere(make_case, native):
    *inputs, _ = make_case(1, 8, 8, 4, 2, 2, 1).cast("float32")
    graph = tf.function(malleable_slice).get_concrete_function(*inputs).graph
    assert "MalleableSlice" in {operation.type for operation in graph.get_operations()}


class SliceByOwnMeans(keras.layers.Layer):
    """Predicts kernels and bias from pooled features and applies them."""

    def __init__(self, implementation, **kwargs):
        super().__init__(**kwargs)
        self.implementation = implementation
        self.pool = keras.layers.AveragePooling2D(4)
        self.kernels = keras.layers.Dense(9 * 4)
        self.bias = keras.layers.Dense(4)

    def call(self, inputs):
        grid = self.pool(inputs)
        kernels = keras.ops.reshape(self.kernels(grid), (*keras.ops.shape(grid)[:3], 9, 4))
        return malleable_slice(inputs, kernels, self.bias(grid), implementation=self.implementation)


def train_small_model(implementation, policy="float32"):
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(2)
    images = rng.random((8, 16, 16, 3)).astype("float32")
    keras.config.set_dtype_policy(policy)
    try:
        model = keras.Sequential(
            [
                keras.layers.Conv2D(4, 3, padding="same"),
                SliceByOwnMeans(implementation),
                keras.layers.Conv2D(3, 3, padding="same", dtype="float32"),
            ]
        )
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile(keras.optimizers.SGD(0.05), "mse", jit_compile=False)
    history = model.fit(images, images, batch_size=4, epochs=3, shuffle=False, verbose=0)
    return history.history["loss"], model.get_weights()


def test_keras_training_is_the_same_with_both(native):
    native_losses, native_weights = train_small_model("native")
    reference_losses, reference_weights = train_small_model("reference")
    assert native_losses[-1] < native_losses[0]
    np.testing.assert_allclose(native_losses, reference_losses, rtol=1e-4)
    for left, right in zip(native_weights, reference_weights, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains(native, policy):
    losses, weights = train_small_model("native", policy)
    assert losses[-1] < losses[0]
    assert all(np.isfinite(value).all() for value in weights)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_pixel_stays_in_its_neighbourhood(make_case, implementation, bad):
    features, kernels, bias, _ = make_case(1, 11, 13, 5, 3, 4, 3).cast("float32")
    features = features.numpy()
    features[0, 4, 6, 2] = bad
    output = malleable_slice(features, kernels, bias, implementation=implementation).numpy()
    expected = np.zeros(output.shape, bool)
    expected[0, 3:6, 5:8, 2] = True
    np.testing.assert_array_equal(~np.isfinite(output), expected)


def weight_of_cell(size, cells, cell):
    """The interpolation weight of one grid cell at each pixel, by interpolating a unit vector."""
    positions = np.clip((np.arange(size) + 0.5) * cells / size - 0.5, 0, cells - 1)
    return np.interp(positions, np.arange(cells), np.eye(cells)[cell])


@pytest.mark.parametrize("cell", [(0, 0), (1, 2), (2, 3)])
@pytest.mark.parametrize(("height", "width"), [(12, 12), (11, 13), (3, 4), (2, 2)])
def test_a_bad_cell_reaches_only_the_pixels_that_use_it(
    make_case, implementation, height, width, cell
):
    features, kernels, bias, _ = make_case(1, height, width, 5, 3, 4, 1).cast("float32")
    kernels = kernels.numpy()
    kernels[0][cell][0, 1] = np.inf
    output = malleable_slice(features, kernels, bias, implementation=implementation).numpy()
    rows, columns = weight_of_cell(height, 3, cell[0]), weight_of_cell(width, 4, cell[1])
    expected = np.zeros(output.shape, bool)
    expected[0, ..., 1] = np.outer(rows > 1e-9, columns > 1e-9)
    np.testing.assert_array_equal(~np.isfinite(output), expected)


@pytest.mark.parametrize("pixel", [(0, 0), (5, 6), (10, 12)])
def test_a_bad_incoming_gradient_reaches_only_its_cells(make_case, implementation, pixel):
    *inputs, output_grad = make_case(1, 11, 13, 5, 3, 4, 1).cast("float32")
    output_grad = output_grad.numpy()
    output_grad[0][pixel][3] = np.nan
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = malleable_slice(*inputs, implementation=implementation)
    features_grad, kernels_grad, bias_grad = tape.gradient(
        output, inputs, output_gradients=tf.constant(output_grad)
    )
    expected = np.zeros(features_grad.shape, bool)
    expected[0][pixel][3] = True
    np.testing.assert_array_equal(np.isnan(features_grad), expected)
    rows = [weight_of_cell(11, 3, cell)[pixel[0]] > 1e-9 for cell in range(3)]
    columns = [weight_of_cell(13, 4, cell)[pixel[1]] > 1e-9 for cell in range(4)]
    expected = np.zeros(bias_grad.shape, bool)
    expected[0, ..., 3] = np.outer(rows, columns)
    np.testing.assert_array_equal(np.isnan(bias_grad), expected)
    np.testing.assert_array_equal(np.isnan(kernels_grad[:, :, :, 0]), expected)


# Writes outputs and gradients of shapes large enough to be split among threads.
RUN_WITH_THREADS = """
import sys
import numpy as np
import tensorflow as tf
from mallenet_tf.ops import malleable_slice

tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
results = []
for size, dtype in ((1, "float32"), (3, "float32"), (5, "float32"), (7, "float32"),
                    (3, "float64"), (3, "float16"), (3, "bfloat16")):
    rng = np.random.default_rng(size)
    inputs = [
        tf.constant(rng.standard_normal(shape), dtype)
        for shape in ((3, 61, 67, 21), (3, 13, 9, size * size, 21), (3, 13, 9, 21))
    ]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = malleable_slice(*inputs, implementation="native")
        loss = tf.reduce_sum(output * output)
    results += [tf.cast(value, "float64").numpy()
                for value in (output, *tape.gradient(loss, inputs))]
np.savez(sys.argv[2], *results)
"""


def has_cpu_flag(name):
    return name == "base" or name in Path("/proc/cpuinfo").read_text(encoding="ascii")


@pytest.fixture(scope="module")
def results_of(repository, native, tmp_path_factory):
    folder = tmp_path_factory.mktemp("slice")

    def run(threads, instruction_set=None):
        path = folder / f"{threads}-{instruction_set}.npz"
        environment = {**os.environ, "PYTHONPATH": str(repository)}
        environment.pop("TF_NUM_INTRAOP_THREADS", None)
        if instruction_set is not None:
            environment["MALLENET_INSTRUCTION_SET"] = instruction_set
        command = [sys.executable, "-c", RUN_WITH_THREADS, str(threads), str(path)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        # The library says so where it cannot take the instruction set that is asked for.
        assert "MALLENET_INSTRUCTION_SET" not in done.stderr or not has_cpu_flag(instruction_set)
        with np.load(path) as results:
            return [results[name] for name in results.files]

    return run


@pytest.fixture(scope="module")
def results_of_one_thread(results_of):
    return results_of(1)


def test_the_number_of_threads_changes_no_bit(results_of, results_of_one_thread):
    for left, right in zip(results_of(3), results_of_one_thread, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("instruction_set", ["base", "avx2"])
def test_narrower_instruction_sets_give_the_same(
    results_of, results_of_one_thread, instruction_set
):
    results = results_of(2, instruction_set)
    # Seven runs of four arrays; the last two runs are the half-precision ones.
    tolerances = np.repeat([1e-5, 1e-5, 1e-5, 1e-5, 1e-13, 2e-3, 2e-2], 4)
    for left, right, tolerance in zip(results, results_of_one_thread, tolerances, strict=True):
        np.testing.assert_allclose(left, right, atol=tolerance * np.abs(right).max(), rtol=0)
