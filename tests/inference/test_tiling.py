"""Tiles cover the image, blend to a whole, and leave local functions as they are."""

import numpy as np
import pytest

from mallenet_tf.inference.tiling import blend_weights, tile_spans, tiled_bands


def apply_tiled(function, image, *arguments):
    bands = tiled_bands(lambda window: function(image[window]), image.shape, *arguments)
    return np.concatenate(list(bands))


LAYOUTS = [(64, 0, 64), (192, 64, 64), (256, 64, 64), (320, 64, 64), (48, 16, 16), (24, 8, 8)]
SIZES = [1, 2, 63, 64, 65, 192, 193, 255, 257, 333, 448, 501, 1000]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_tiles_cover_the_axis_on_the_grid(layout, size):
    tile, overlap, multiple = layout
    spans = tile_spans(size, *layout)
    assert spans[0].start == 0 and spans[-1].stop == size
    for span in spans:
        assert span.start % multiple == 0
        assert 0 < span.stop - span.start <= tile
    for before, after in zip(spans, spans[1:], strict=False):
        assert before.stop - after.start == overlap
    for before, after in zip(spans, spans[2:], strict=False):
        assert before.stop <= after.start
    assert len(spans) <= max(1, -(-(size - overlap) // (tile - overlap)))


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_blend_weights_sum_to_one(layout, size):
    spans = tile_spans(size, *layout)
    total = np.zeros(size)
    for index, span in enumerate(spans):
        weights = blend_weights(spans, index)
        assert weights.min() >= 0 and weights.max() <= 1
        total[span.start : span.stop] += weights
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_a_tile_does_not_count_near_its_border_and_fades_smoothly():
    spans = tile_spans(400, 256, 64, 64)
    first = blend_weights(spans, 0)
    assert (first[-16:] == 0).all() and (first[: -64 + 16] == 1).all()
    assert np.abs(np.diff(first)).max() < 0.06
    assert (np.diff(first) <= 0).all()


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 3, 1), (333, 501, 3), (64, 700, 3), (257, 65, 1)])
def test_identity_stays_identity(shape):
    image = np.random.default_rng(0).random(shape, np.float32)
    result = apply_tiled(lambda tile: tile, image, 192, 64, 64)
    assert result.shape == shape and result.dtype == np.float32
    np.testing.assert_allclose(result, image, atol=1e-6)


def test_a_local_function_gives_the_same_as_on_the_whole_image():
    def blur(tile):
        """A 9 x 9 mean; wrong within 4 pixels of a tile's border, where it does not count."""
        for axis in (0, 1):
            tile = sum(np.roll(tile, step, axis) for step in range(-4, 5)) / 9
        return tile

    image = np.random.default_rng(0).random((300, 400, 3), np.float32)
    tiled, whole = apply_tiled(blur, image, 192, 64, 64), blur(image)
    np.testing.assert_allclose(tiled[4:-4, 4:-4], whole[4:-4, 4:-4], atol=1e-6)


def test_a_function_may_change_the_number_of_channels():
    image = np.random.default_rng(0).random((200, 210, 3), np.float32)
    result = apply_tiled(lambda tile: tile.mean(axis=2, keepdims=True), image, 128, 0, 64)
    np.testing.assert_allclose(result, image.mean(axis=2, keepdims=True), atol=1e-6)


def test_finished_rows_come_one_row_of_tiles_at_a_time():
    image = np.random.default_rng(0).random((600, 100, 3), np.float32)
    asked = []

    def remember(window):
        asked.append(window)
        return image[window]

    bands = tiled_bands(remember, image.shape, 192, 64, 64)
    first = next(bands)
    assert len(asked) == 1 and first.shape == (128, 100, 3)
    np.testing.assert_allclose(np.concatenate([first, *bands]), image, atol=1e-6)


def test_progress_counts_every_tile():
    image = np.zeros((300, 500, 1), np.float32)
    seen = []
    apply_tiled(
        lambda tile: tile, image, 192, 64, 64, lambda done, total: seen.append((done, total))
    )
    total = len(tile_spans(300, 192, 64, 64)) * len(tile_spans(500, 192, 64, 64))
    assert seen == [(index, total) for index in range(1, total + 1)]


@pytest.mark.parametrize(
    ("tile", "overlap", "message"),
    [
        (100, 64, "multiples of 64.*Received: tile=100, overlap=64"),
        (256, 32, "multiples of 64.*Received: tile=256, overlap=32"),
        (128, 64, "at least 192 pixels.*Received: tile=128, overlap=64"),
        (0, 0, "at least 64 pixels.*Received: tile=0, overlap=0"),
    ],
)
def test_sizes_that_do_not_fit_together(tile, overlap, message):
    with pytest.raises(ValueError, match=message):
        tile_spans(1000, tile, overlap, 64)
