"""Synthetic training images."""

import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.data import GaussianNoise, ImageFolder, Leaves, training_dataset
from mallenet_tf.data.random_numbers import RandomGenerator, sample_seed
from mallenet_tf.data.sources.leaf_shapes import draw_geometry, leaf_count, octaves, paint
from mallenet_tf.data.sources.leaf_textures import noise_fields
from mallenet_tf.data.sources.leaves import canvas_function, leaves_canvas

# Small canvases keep these tests fast; few open at once make a block short.
SMALL = Leaves(canvas_size=64, interleaved=6)


@pytest.fixture(scope="module")
def draw():
    return lambda number: canvas_function(128)(sample_seed(11, number))


@pytest.fixture(scope="module")
def canvases(draw):
    return np.stack([draw(tf.constant(number, tf.int64)).numpy() for number in range(24)])


def clean_patches(sources, count, **options):
    settings = {"batch_size": 4, "patch_size": 32, "seed": 1, **options}
    dataset = training_dataset(sources, GaussianNoise(25.0), **settings)
    return np.concatenate([clean for _, clean in dataset.take(count).as_numpy_iterator()])


def test_canvas_is_a_pure_function_of_its_number(draw, canvases):
    assert canvases.dtype == np.uint8 and canvases.shape == (24, 128, 128, 3)
    np.testing.assert_array_equal(draw(tf.constant(5, tf.int64)), canvases[5])
    np.testing.assert_array_equal(leaves_canvas(sample_seed(11, 5), 128), canvases[5])
    mapped = tf.data.Dataset.range(3).map(draw)
    for canvas, expected in zip(mapped, canvases, strict=False):
        np.testing.assert_array_equal(canvas, expected)
    assert len({canvas.tobytes() for canvas in canvases}) == len(canvases)


def test_statistics_are_those_of_photographs(canvases):
    """Bounds around what natural images show; the photographs of BSD400 fulfil them too."""
    values = canvases / 255.0
    assert 0.35 < values.mean() < 0.55
    assert 0.17 < values.std() < 0.3
    luma = values @ [0.299, 0.587, 0.114]
    chroma = values - luma[..., None]
    assert 0.05 < chroma.std() < 0.5 * luma.std()
    assert np.corrcoef(values[..., 0].ravel(), values[..., 2].ravel())[0, 1] > 0.5
    step = np.diff(luma, axis=2)
    # Heavy tails: most neighbours are nearly equal, a few differ greatly (a Gaussian has 3).
    kurtosis = np.mean(step**4) / np.mean(step**2) ** 2
    assert 8 < kurtosis < 80
    assert np.mean(np.abs(step) < 2 / 255) > 0.25
    assert np.mean(np.abs(step) > 40 / 255) > 0.01


def test_power_spectrum_falls_as_in_photographs(canvases):
    """The amplitude spectrum of natural images falls about as 1 / frequency (Field, 1987)."""
    luma = canvases @ np.array([0.299, 0.587, 0.114])
    window = np.outer(np.hanning(128), np.hanning(128))
    power = np.abs(np.fft.fft2((luma - luma.mean((1, 2), keepdims=True)) * window)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    band = (frequency > 0.03) & (frequency < 0.4)
    slope = np.polyfit(np.log(frequency[band]), np.log(power.mean(0)[band]), 1)[0]
    assert -3.2 < slope < -1.8


def test_there_are_flat_places_edges_and_texture(canvases):
    blocks = canvases[..., 1].reshape(24, 16, 8, 16, 8).std((2, 4))
    assert np.mean(blocks < 4) > 0.05
    assert np.mean((blocks > 8) & (blocks < 25)) > 0.15
    assert np.mean(blocks > 40) > 0.03


def test_leaves_come_in_all_sizes_each_octave_covering_the_same():
    for octave in octaves(512)[:-1]:
        leaves = octave.curved + octave.polygons
        assert leaves * octave.radius**2 == pytest.approx(
            octaves(512)[0].radius ** 2 * (octaves(512)[0].curved + octaves(512)[0].polygons),
            rel=0.1,
        )


def test_geometry_numbers_leaves_by_depth_whatever_their_size():
    geometry = draw_geometry(RandomGenerator(sample_seed(2, 0)), 128, tf.ones([8, 8]))
    total = leaf_count(128)
    top = geometry.top.numpy()
    assert top.shape == (128, 128) and top.min() >= 0 and top.max() <= total
    assert geometry.centers.shape == (total + 1, 2) and geometry.radii.shape == (total + 1,)
    radii = geometry.radii.numpy()[1:]
    far, near = np.median(radii[: total // 2]), np.median(radii[total // 2 :])
    assert far == pytest.approx(near, rel=0.2)


def test_painting_shows_the_nearest_leaf_and_wraps_around():
    random = np.random.default_rng(0)
    size, side, count = 16, 6, 20
    inside = random.random((count, side, side)) < 0.6
    corners = random.integers(0, size, (count, 2)).astype(np.int32)
    depths = (random.permutation(count) + 1).astype(np.int32)
    expected = np.zeros((size, size), int)
    for leaf in np.argsort(depths):
        for y, x in np.argwhere(inside[leaf]):
            column, row = (corners[leaf] + (x, y)) % size
            expected[row, column] = depths[leaf]
    painted = paint(tf.constant(inside), tf.constant(corners), tf.constant(depths), size)
    np.testing.assert_array_equal(painted.numpy().reshape(size, size), expected)


def test_leaf_lies_within_its_octave_s_radius_of_its_center():
    geometry = draw_geometry(RandomGenerator(sample_seed(3, 0)), 128, tf.ones([8, 8]))
    top, centers = geometry.top.numpy(), geometry.centers.numpy()
    y, x = np.nonzero(top)
    leaf = top[y, x]
    offset = np.abs(np.stack([x, y], 1) - centers[leaf])
    distance = np.linalg.norm(np.minimum(offset, 128 - offset), axis=1)
    smallest = octaves(128)[0].radius
    limit = smallest * 2.0 ** np.ceil(np.log2(geometry.radii.numpy()[leaf] / smallest))
    assert (distance < limit).all()
    assert (distance > limit / 2).any()


def test_clutter_of_zero_leaves_only_large_leaves():
    geometry = draw_geometry(RandomGenerator(sample_seed(4, 0)), 128, tf.zeros([8, 8]))
    shown = np.unique(geometry.top)
    assert geometry.radii.numpy()[shown[shown > 0]].min() > 12


def test_noise_fields_have_the_asked_spectrum():
    slopes = [0.0, 1.0, 2.0]
    fields = noise_fields(
        RandomGenerator(sample_seed(0, 0)), tf.constant(slopes), tf.ones([3])
    ).numpy()
    np.testing.assert_allclose(fields.mean((1, 2)), 0.0, atol=1e-4)
    np.testing.assert_allclose(fields.std((1, 2)), 1.0, atol=1e-3)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    band = (frequency > 0.03) & (frequency < 0.45)
    for field, slope in zip(fields, slopes, strict=True):
        amplitude = np.log(np.abs(np.fft.fft2(field))[band])
        assert np.polyfit(np.log(frequency[band]), amplitude, 1)[0] == pytest.approx(
            -slope, abs=0.1
        )


@pytest.mark.parametrize("size", [30, 130])
def test_impossible_canvas_is_refused(size):
    with pytest.raises(ValueError, match=f"Received: size={size}"):
        leaves_canvas(sample_seed(0, 0), size)


def test_neighbours_come_from_different_canvases():
    """Crops as large as the canvas are the canvases, up to their symmetries."""
    patches = clean_patches([Leaves(canvas_size=32, interleaved=4, coverage=3.0)], 6)
    means = np.round(patches.mean((1, 2, 3)), 5)
    for start in (0, 12):
        block = means[start : start + 12].reshape(3, 4)
        assert (block == block[0]).all() and len(set(block[0])) == 4
    assert not set(means[:12]) & set(means[12:])


def test_starting_in_the_middle_of_a_block_equals_skipping():
    whole = clean_patches([SMALL], 20)
    np.testing.assert_array_equal(clean_patches([SMALL], 5, start_step=15), whole[60:])


def test_workers_together_make_the_batches_of_one(tmp_path):
    from PIL import Image

    Image.fromarray(np.full((40, 40, 3), 9, np.uint8)).save(tmp_path / "flat.png")
    sources = [SMALL, ImageFolder(tmp_path, weight=0.5)]
    single = clean_patches(sources, 12).reshape(12, 2, 2, 32, 32, 3)
    for index in range(2):
        part = clean_patches(sources, 12, shard_index=index, shard_count=2)
        np.testing.assert_array_equal(part.reshape(12, 2, 32, 32, 3), single[:, index])
    flat = (np.rint(single * 255) == 9).all((3, 4, 5))
    assert flat.sum() == 48 / 3


def test_patch_larger_than_the_canvas_and_gray():
    patches = clean_patches([SMALL], 1, patch_size=70, channels=1, batch_size=2)
    assert patches.shape == (2, 70, 70, 1)
    assert patches.std() > 0.02


@pytest.mark.parametrize("options", [{"canvas_size": 16}, {"coverage": 0.0}, {"interleaved": 0}])
def test_impossible_settings_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"Received: .*{name}={value}"):
        Leaves(**options)
