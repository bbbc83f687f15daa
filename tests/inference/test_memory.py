"""Amounts of memory, what the process takes, and the tile that fits."""

import numpy as np
import pytest

from mallenet_tf.common.errors import UserError
from mallenet_tf.inference import memory


@pytest.mark.parametrize(
    ("text", "amount"),
    [("2GB", 2e9), ("1500M", 1.5e9), ("1.5g", 1.5e9), ("800 MiB", 8e8), ("123456", 123456)],
)
def test_amounts(text, amount):
    assert memory.parse_memory(text) == amount


def test_shares_of_what_is_free():
    half, all_of_it = memory.parse_memory("50%"), memory.parse_memory("100%")
    assert half - memory.resident() == pytest.approx(memory.available() / 2, rel=0.1)
    assert half < all_of_it


@pytest.mark.parametrize("text", ["", "many", "-2GB", "0", "120%", "2XB", "2G%"])
def test_no_amounts(text):
    with pytest.raises(UserError, match="Received: --max_memory="):
        memory.parse_memory(text)


def test_what_a_group_has_cached_is_free(tmp_path, monkeypatch):
    """A container of 4 GB with 1 GB taken and 2.5 GB of files that were read."""
    (tmp_path / "memory.max").write_text("4000000000\n")
    (tmp_path / "memory.current").write_text("3500000000\n")
    (tmp_path / "memory.stat").write_text("anon 1000000000\ninactive_file 2500000000\n")
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    free = memory.available()
    assert free == 3_000_000_000


def test_growth_counts_what_was_freed_meanwhile():
    def work():
        array = np.ones(30_000_000, np.uint8)
        for _ in range(20):  # a few milliseconds, so that it is seen
            array += 1

    assert 28e6 < memory.peak_growth(work) < 60e6


def test_growth_of_work_that_fails():
    with pytest.raises(ZeroDivisionError):
        memory.peak_growth(lambda: 1 / 0)


def test_the_largest_tile_that_fits():
    sides = range(192, 1025, 64)
    assert memory.largest_tile(4000, 1000, 24, 2**40, sides) == 1024
    assert memory.largest_tile(4000, 1000, 24, 10**6, sides) is None
    side = memory.largest_tile(4000, 1000, 24, 400 * 10**6, sides)
    assert side**2 * 1000 + side * 4000 * 24 <= 4e8 < (side + 64) ** 2 * 1000 + 96_000 * (side + 64)
    # A narrow image has narrow tiles, and may have higher ones.
    assert memory.largest_tile(10, 1000, 24, 20 * 10**6, sides) == 1024
