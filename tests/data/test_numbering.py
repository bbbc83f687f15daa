"""Sample numbers of workers, of what samples are made of, and of interleaved crops."""

import numpy as np
import pytest
import tensorflow as tf

from mallenet_tf.data.numbering import Interleaving, SampleNumbers, Shard


def take(shard, count):
    return [int(number) for number in shard.numbers().take(count)]


def test_one_worker_counts_through():
    assert take(Shard(4), 10) == list(range(10))
    assert take(Shard(4, start_step=3), 5) == [12, 13, 14, 15, 16]


def test_workers_share_every_batch_in_contiguous_shards():
    shards = [Shard(6, start_step=2, shard_index=index, shard_count=3) for index in range(3)]
    assert [take(shard, 4) for shard in shards] == [
        [12, 13, 18, 19],
        [14, 15, 20, 21],
        [16, 17, 22, 23],
    ]
    for shard in shards:
        assert shard.first == take(shard, 1)[0]
        inside = shard.contains(tf.range(12, 24)).numpy()
        assert (np.flatnonzero(inside) + 12).tolist() == take(shard, 4)


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
        Shard(**values)


def test_components_of_selected_samples():
    numbers = SampleNumbers(3, lambda number: number % 2 == 0)
    assert list(numbers.dataset().take(3).as_numpy_iterator()) == [4, 6, 8]
    components = numbers.components(3)
    found = list(components.dataset().take(6).as_numpy_iterator())
    assert found == [12, 13, 14, 18, 19, 20]
    assert components.contains(tf.range(9, 21, dtype=tf.int64)).numpy().tolist() == [
        number in found for number in range(9, 21)
    ]


@pytest.mark.parametrize(("images", "crops"), [(1, 1), (3, 1), (1, 4), (3, 4)])
def test_interleaved_images_give_one_crop_each_in_turn(images, crops):
    order = Interleaving(images, crops)
    owners = [int(order.image_of(tf.constant(number))) for number in range(3 * images * crops)]
    for group in range(3):
        block = owners[group * images * crops :][: images * crops]
        assert block == list(range(group * images, (group + 1) * images)) * crops
        assert order.first_image((group + 1) * images * crops - 1) == group * images
    for image in range(3 * images):
        numbers = order.crops_of(tf.constant(image, tf.int64)).numpy().tolist()
        assert numbers == [number for number, owner in enumerate(owners) if owner == image]
