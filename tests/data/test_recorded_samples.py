"""Sample n of a training run stays what it was when `tests/golden` recorded it."""

import numpy as np
import pytest

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
