"""Times and memory, from the clock and from traces of networks whose costs are known."""

import time

import keras
import pytest
import tensorflow as tf
from keras import layers

from mallenet_tf.profiling import latency
from mallenet_tf.profiling.trace import Operation, by_kind, by_layer

needs_xprof = pytest.mark.usefixtures("xprof")


@pytest.fixture
def xprof():
    pytest.importorskip("xprof", reason="traces are read by xprof")


def two_convolutions(name="net"):
    """One convolution that is a thousand times the work of the other."""
    inputs = keras.Input((None, None, 3))
    features = layers.Conv2D(2, 1, name="light")(inputs)
    features = layers.Conv2D(256, 5, padding="same", name="heavy_2")(features)
    return keras.Model(inputs, features, name=name)


@needs_xprof
def test_measuring_a_network(tmp_path):
    found = latency.measure(two_convolutions(), 128, 96, tmp_path, steps=3, max_batch=3)
    assert found.batch == 2  # powers of two
    assert len(found.trace.steps) == 3
    assert 0 < found.median <= found.p90
    # Two images cannot take a hundred times what one takes, or a hundredth.
    assert found.median / 100 < found.milliseconds < found.median * 100
    answer = 128 * 96 * 256 * 4  # more than what other tests may have left behind
    assert answer <= found.peak_bytes < 20 * answer
    shares = by_layer(found.trace.operations, ["light", "heavy_2"])
    assert shares["heavy_2"] > 0.5 * sum(shares.values())
    assert any("Conv2D" in kind for kind in by_kind(found.trace.operations))
    traces = sorted(path.parts[-5] for path in tmp_path.glob("*/plugins/profile/*/*.xplane.pb"))
    assert traces == ["batch_1", "batch_2"]


def test_operations_belong_to_the_layers_that_their_names_tell():
    operations = [
        Operation("net_1/conv_1/BiasAdd", "Conv2D", 3.0),
        Operation("net/conv/kernel/Read", "ReadVariableOp", 1.0),
        Operation("net/conv_2/Conv2D", "Conv2D", 2.0),
        Operation("net/block/conv/Conv2D", "Conv2D", 5.0),
        Operation("Identity", "Identity", 0.5),
    ]
    shares = by_layer(operations, ["conv", "conv_2", "block"])
    assert shares == {"block": 5.0, "conv": 4.0, "conv_2": 2.0, "(other)": 0.5}
    assert list(shares) == ["block", "conv", "conv_2", "(other)"]
    assert by_kind(operations)["Conv2D"] == 10.0


def test_the_clock_reports_median_and_slow_tail():
    pauses = iter([0.02] * 8 + [0.2] * 2)
    median, p90 = latency.time_calls(lambda: time.sleep(next(pauses)), 10)
    assert 20 <= median < 100
    assert median < p90 and p90 >= 30


def test_the_largest_batch_on_a_gpu_is_found_by_trying(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["one"])
    tried = []

    def step(batch):
        tried.append(batch)
        if batch > 10:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return f"step of {batch}"

    assert latency._largest_batch(step, 1, 100) == (8, "step of 8")
    assert tried == [64, 32, 16, 8]


@pytest.mark.parametrize("peak,batch", [(1, 16), (1000, 4), (10**9, 1)])
def test_the_largest_batch_on_a_cpu_leaves_half_the_memory(monkeypatch, peak, batch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(latency.memory, "available", lambda: 10_000)
    assert latency._largest_batch(lambda batch: batch, peak, None) == (batch, batch)
