"""Sample numbers of workers, and shares of sources."""

import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.data.mixing import Schedule, Slice


def take(part, count):
    return [int(number) for number in part.numbers().take(count)]


def test_one_worker_counts_through():
    assert take(Slice(4), 10) == list(range(10))
    assert take(Slice(4, start_step=3), 5) == [12, 13, 14, 15, 16]


def test_workers_share_every_batch_in_contiguous_parts():
    parts = [Slice(6, start_step=2, shard_index=index, shard_count=3) for index in range(3)]
    assert [take(part, 4) for part in parts] == [
        [12, 13, 18, 19],
        [14, 15, 20, 21],
        [16, 17, 22, 23],
    ]
    for part in parts:
        assert part.first == take(part, 1)[0]
        inside = part.contains(tf.range(12, 24)).numpy()
        assert (np.flatnonzero(inside) + 12).tolist() == take(part, 4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_size": 10, "shard_count": 4}, "must divide evenly.*batch_size=10"),
        ({"batch_size": 8, "shard_count": 2, "splits": 3}, "must divide evenly.*splits=3"),
        ({"batch_size": 8, "shard_count": 2, "shard_index": 2}, "shard_index=2, shard_count=2"),
        ({"batch_size": 8, "shard_index": -1}, "shard_index=-1"),
        ({"batch_size": 0}, "Received: batch_size=0"),
        ({"batch_size": 8, "splits": 0}, "Received: splits=0"),
        ({"batch_size": 8, "start_step": -1}, "Received: start_step=-1"),
    ],
)
def test_impossible_divisions_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Slice(**values)


@pytest.mark.parametrize("weights", [[1.0], [1.0, 1.0], [0.7, 0.3], [5, 2, 1], [1.0, 0.001]])
def test_schedule_and_ranks_agree(weights):
    schedule = Schedule(weights)
    owners = schedule.source_of(tf.range(2500, dtype=tf.int64)).numpy()
    for source in range(len(weights)):
        numbers = np.flatnonzero(owners == source)
        ranks = tf.range(len(numbers), dtype=tf.int64)
        np.testing.assert_array_equal(schedule.number_of(source, ranks), numbers)
        for number in (0, 1, 7, 999, 1000, 1001, 2499):
            assert schedule.rank(source, number) == np.sum(numbers < number)


def test_shares_are_kept_over_any_stretch():
    owners = Schedule([0.5, 0.3, 0.2]).source_of(tf.range(3000, dtype=tf.int64)).numpy()
    for source, share in enumerate([0.5, 0.3, 0.2]):
        used = np.cumsum(owners == source)
        assert np.abs(used - share * np.arange(1, 3001)).max() < 1.5
        assert used[-1] == 3000 * share


@pytest.mark.parametrize("weights", [[], [1.0, 0.0], [-1.0], [float("nan")], [1.0, 1e-5]])
def test_impossible_weights_are_refused(weights):
    with pytest.raises(ValueError, match="Received: weights="):
        Schedule(weights)
