"""Sample n of a training run stays what it was when `tests/golden` recorded it."""

import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.data import SampleShape
from mallenet_tf.data.numbering import SampleNumbers
from tests.helpers.recorded_samples import CASES, RECORDED, write_files

ONE_LEVEL = 1 / 255


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    root = tmp_path_factory.mktemp("files")
    write_files(root)
    return root


@pytest.mark.parametrize("name", CASES)
def test_samples_are_those_that_were_recorded(files, name):
    with np.load(RECORDED) as recorded:
        for part, values in CASES[name].samples(files).items():
            expected = recorded[f"{name}/{part}"]
            assert values.shape == expected.shape and values.dtype == expected.dtype
            if CASES[name].exact:
                np.testing.assert_array_equal(values, expected)
            else:
                # Another processor may round a value differently, and move an edge by a pixel.
                assert np.mean(np.abs(values - expected) > 1.01 * ONE_LEVEL) < 0.01


@pytest.mark.parametrize("name", ["image_folder", "leaves", "drawings", "prepared_images"])
def test_samples_are_those_of_the_sample_function(files, name):
    (source,) = CASES[name].sources(files)
    shape, first = SampleShape(12), 5
    made = source.samples(shape, 3, SampleNumbers(first, lambda number: number % 3 == 1))
    sample = source.sample_function(shape, 3)
    for number, pixels in zip([7, 10, 13], made.take(3).as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(pixels, sample(tf.constant(number, tf.int64)))


def test_windows_are_those_of_the_sample_function(files):
    for name in ("moving_leaves", "frame_sequences"):
        (source,) = CASES[name].sources(files)
        shape = SampleShape(12, frames=3)
        sample = source.sample_function(shape, 3)
        for number, pixels in enumerate(source.samples(shape, 3).take(3).as_numpy_iterator()):
            difference = pixels - sample(tf.constant(number, tf.int64)).numpy().astype(float)
            assert np.abs(difference).max() <= 1  # a graph may round another way
