"""Sampling between pixels against the paper's sums, and the layers that filter what was sampled."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.layers import DeformableSampling, GroupAverage, PerFrameConv, WeightedTapSum
from mallenet_tf.layers.sampling import sample
from tests.helpers.layer_checks import raises_value_error, run_layer_test


@keras.saving.register_keras_serializable("mallenet_tests")
class Joined(keras.layers.Layer):
    """A layer of two tensors as one of their concatenation, for `run_layer_test`."""

    def __init__(self, layer, first, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer
        self.first = first  # channels of the first tensor

    def build(self, input_shape):
        self.layer.build(*self._shapes(input_shape))

    def call(self, inputs):
        return self.layer(inputs[..., : self.first], inputs[..., self.first :])

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(*self._shapes(input_shape))

    def _shapes(self, input_shape):
        *sizes, channels = input_shape
        return (*sizes, self.first), (*sizes, channels - self.first)

    def get_config(self):
        inner = {"kind": type(self.layer).__name__, "options": self.layer.get_config()}
        return {**super().get_config(), **inner, "first": self.first}

    @classmethod
    def from_config(cls, config):
        options = {**config.pop("options"), "dtype": config["dtype"]}
        layer = KINDS[config.pop("kind")].from_config(options)
        return cls(layer, **config)


KINDS = {kind.__name__: kind for kind in (DeformableSampling, PerFrameConv, WeightedTapSum)}


def tent(distance):
    return np.maximum(0.0, 1.0 - np.abs(distance))


def slope(distance):
    """The cases of equations (13) to (15), of position minus pixel."""
    inside = np.abs(distance) < 1
    return np.where(inside, np.where(distance < 0, 1.0, -1.0), 0.0)


def paper_sum(volume, point, factors):
    """Equation (7), or with `slope` among the factors a derivative, at one point: [C]."""
    total = np.zeros(volume.shape[-1])
    for pixel in itertools.product(*map(range, volume.shape[:-1])):
        share = 1.0
        for factor, position, place in zip(factors, point, pixel, strict=True):
            share = share * factor(position - place)
        total += share * volume[pixel]
    return total


@pytest.fixture(scope="module", params=[(5, 4), (4, 3, 5)], ids=["bilinear", "trilinear"])
def case(request):
    """A float64 volume and positions inside, at the border and outside, none of them whole."""
    random = np.random.default_rng(0)
    sizes = request.param
    volume = random.standard_normal((2, *sizes, 2))
    positions = [random.uniform(-2.0, size + 1.0, (2, 3, 3)) for size in sizes]
    return volume, positions


def test_sampling_is_the_papers_sum(case):
    volume, positions = case
    sampled = keras.ops.convert_to_numpy(sample(volume, list(map(tf.constant, positions))))
    assert sampled.dtype == np.float64
    for where in np.ndindex(positions[0].shape):
        point = [axis[where] for axis in positions]
        wanted = paper_sum(volume[where[0]], point, [tent] * len(point))
        np.testing.assert_allclose(sampled[where], wanted, atol=1e-12)


def test_gradients_are_those_of_the_appendix(case):
    volume, positions = case
    variables = [tf.Variable(axis) for axis in positions]
    weights = np.random.default_rng(1).standard_normal((*positions[0].shape, volume.shape[-1]))
    with tf.GradientTape() as tape:
        sampled = sample(volume, [variable.value() for variable in variables])
        total = tf.reduce_sum(weights * sampled)
    for axis, gradient in enumerate(tape.gradient(total, variables)):
        factors = [slope if other == axis else tent for other in range(len(positions))]
        for where in np.ndindex(positions[0].shape):
            point = [along[where] for along in positions]
            wanted = weights[where] @ paper_sum(volume[where[0]], point, factors)
            np.testing.assert_allclose(gradient.numpy()[where], wanted, atol=1e-12)


def test_gradients_agree_with_finite_differences(case):
    volume, positions = case
    step = 1e-6

    def total(volume, positions):
        return tf.reduce_sum(tf.sin(sample(volume, positions)))

    arguments = [tf.constant(volume), *map(tf.constant, positions)]
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = total(arguments[0], arguments[1:])
    gradients = tape.gradient(value, arguments)
    random = np.random.default_rng(2)
    for index, gradient in enumerate(gradients):
        direction = random.standard_normal(gradient.shape)
        ends = []
        for sign in (-1, 1):
            moved = list(arguments)
            moved[index] = moved[index] + sign * step * direction
            ends.append(float(total(moved[0], moved[1:])))
        difference = (ends[1] - ends[0]) / (2 * step)
        assert difference == pytest.approx(float(np.sum(gradient * direction)), rel=1e-6)


def test_whole_and_extreme_positions():
    image = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    rows = np.array([[0.0, 2.0, -1.0, 3.0, 1e9, -np.inf, np.nan]], np.float32)
    sampled = sample(image, [tf.constant(rows), tf.constant(np.full_like(rows, 3.0))])
    np.testing.assert_array_equal(sampled[0, :, 0], [3, 11, 0, 0, 0, 0, 0])


def shifted(image, y, x):
    """The zero-padded image, looked at (y, x) pixels further down and right."""
    reach = 8
    padded = np.pad(image, [(0, 0), (reach, reach), (reach, reach), (0, 0)])
    _, height, width, _ = image.shape
    return padded[:, reach + y : reach + y + height, reach + x : reach + x + width]


@pytest.mark.parametrize("frames", [1, 3])
def test_without_offsets_two_dimensions_sample_each_frames_neighbourhood(frames):
    stack = np.random.default_rng(0).standard_normal((2, 5, 6, 2 * frames)).astype(np.float32)
    sampling = DeformableSampling(2, kernel_size=3, frames=frames)
    wanted = np.concatenate(
        [
            shifted(stack[..., 2 * frame : 2 * frame + 2], y, x)
            for frame, y, x in itertools.product(range(frames), (-1, 0, 1), (-1, 0, 1))
        ],
        axis=-1,
    )
    np.testing.assert_array_equal(sampling(stack), wanted)
    zeros = np.zeros((2, 5, 6, 2 * 9 * frames), np.float32)
    np.testing.assert_array_equal(sampling(stack, zeros), wanted)


def test_offsets_move_taps_down_right_and_on_in_time():
    stack = np.random.default_rng(0).standard_normal((1, 6, 7, 5)).astype(np.float32)
    sampling = DeformableSampling(3, kernel_size=3, frames=5, max_offset=8.0)
    offsets = np.zeros((1, 6, 7, 27, 3), np.float32)
    offsets[..., 0], offsets[..., 1], offsets[..., 2] = 2 / 8, -3 / 8, 1 / 2
    samples = sampling(stack, offsets.reshape(1, 6, 7, 81))
    grid = itertools.product((-1, 0, 1), repeat=3)
    for tap, (t, y, x) in enumerate(grid):
        frame = 2 + t + 1  # one of two frames on
        wanted = shifted(stack[..., frame : frame + 1], y + 2, x - 3)
        np.testing.assert_allclose(samples[..., tap : tap + 1], wanted, atol=1e-6)


def test_beyond_the_first_and_last_frame_there_is_nothing():
    stack = np.ones((1, 3, 3, 5), np.float32)
    offsets = np.zeros((1, 3, 3, 27, 3), np.float32)
    offsets[..., 2] = 1.0
    samples = DeformableSampling(3, 3, 5)(stack, offsets.reshape(1, 3, 3, 81))[0, 1, 1]
    np.testing.assert_array_equal(samples, [1.0] * 18 + [0.0] * 9)


@pytest.mark.parametrize("dimensions,frames,taps", [(2, 1, 9), (2, 3, 27), (3, 3, 27)])
def test_deformable_sampling_as_a_layer(dimensions, frames, taps):
    def build():
        return Joined(DeformableSampling(dimensions, 3, frames, max_offset=0.5), 2 * frames)

    channels = 2 * frames + taps * dimensions
    run_layer_test(build, (2, 5, 4, channels), (2, 5, 4, 2 * taps), trainable=0)


def test_filter_frames_is_a_convolution_at_every_pixel():
    random = np.random.default_rng(0)
    stack, kernels = random.standard_normal((2, 4, 5, 6)), random.standard_normal((2, 4, 5, 9 * 3))
    filtered = PerFrameConv(3, dtype="float64")(stack, kernels)
    wanted = np.zeros((2, 4, 5, 6))
    padded = np.pad(stack, [(0, 0), (1, 1), (1, 1), (0, 0)])
    for n, y, x, channel, dy, dx in np.ndindex(2, 4, 5, 6, 3, 3):
        weight = kernels[n, y, x, (3 * dy + dx) * 3 + channel // 2]
        wanted[n, y, x, channel] += weight * padded[n, y + dy, x + dx, channel]
    np.testing.assert_allclose(filtered, wanted, atol=1e-12)


def test_groups_are_estimates_whose_mean_is_the_whole_kernels():
    random = np.random.default_rng(0)
    samples = random.standard_normal((2, 3, 4, 6 * 2))
    weights = random.standard_normal((2, 3, 4, 6))
    groups = keras.ops.convert_to_numpy(WeightedTapSum(6, 3, dtype="float64")(samples, weights))
    wanted = np.zeros((2, 3, 4, 3, 2))
    for tap in range(6):
        part = weights[..., tap, None] * samples[..., 2 * tap : 2 * tap + 2]
        wanted[..., tap // 2, :] += 3 * part
    np.testing.assert_allclose(groups, wanted.reshape(2, 3, 4, 6), atol=1e-12)
    whole = WeightedTapSum(6, 1, dtype="float64")(samples, weights)
    np.testing.assert_allclose(GroupAverage(3, dtype="float64")(groups), whole, atol=1e-12)


def test_filtering_layers():
    run_layer_test(lambda: Joined(PerFrameConv(2), 4), (2, 5, 4, 22), (2, 5, 4, 4), trainable=0)
    run_layer_test(
        lambda: Joined(WeightedTapSum(6, 2), 12), (2, 5, 4, 18), (2, 5, 4, 4), trainable=0
    )
    run_layer_test(lambda: GroupAverage(2), (2, 5, 4, 6), (2, 5, 4, 3), trainable=0)
    static = lambda: WeightedTapSum(6, 2, dynamic=False)  # noqa: E731
    run_layer_test(static, (2, 5, 4, 12), (2, 5, 4, 4), trainable=1)


def test_wrong_sizes_are_refused():
    with raises_value_error("dimensions must be 2 or 3"):
        DeformableSampling(dimensions=4)
    with raises_value_error("kernel_size must be odd"):
        DeformableSampling(kernel_size=4)
    with raises_value_error("frames must be at least 1"):
        DeformableSampling(frames=0)
    with raises_value_error("groups must divide"):
        WeightedTapSum(9, 2)


@pytest.mark.parametrize(
    "layer,channels,message",
    [
        (GroupAverage(3), (4,), "groups must divide the input's channels"),
        (PerFrameConv(3), (4, 27), "frames must divide the channels"),
        (PerFrameConv(3), (3, 28), "frames must divide the channels"),
        (WeightedTapSum(9), (10, 9), "multiple of taps"),
        (WeightedTapSum(9), (9, 1), "multiple of taps"),
        (WeightedTapSum(9), (9,), "multiple of taps"),
        (WeightedTapSum(9, dynamic=False), (9, 9), "multiple of taps"),
        (DeformableSampling(2, 3, frames=3), (4,), "multiple of 3"),
        (DeformableSampling(2, 3, frames=3), (3, 27), "the offsets' 54"),
    ],
)
def test_wrong_channels_are_refused(layer, channels, message):
    """Each would reshape: to another batch, or to weights that are taken for another tap's."""
    inputs = [np.ones((3, 4, 4, count), np.float32) for count in channels]
    with raises_value_error(message):
        layer(*inputs)
