"""Hidden colors play no part, and stay as they are."""

import numpy as np
import pytest

from mallenet_tf.image_io.picture import Picture
from mallenet_tf.inference.transparency import fill_hidden, restore_hidden, visible_part


def disc(kind=np.uint8, hidden=0, side=64):
    """A noisy gray disc of straight alpha on hidden color; with a soft edge."""
    white = np.iinfo(kind).max if np.dtype(kind).kind == "u" else 1.0
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    alpha = np.clip(side / 3 - np.hypot(x, y), 0, 1)
    noise = np.random.default_rng(0).normal(0.6, 0.03, (side, side, 3))
    samples = np.dstack([np.where(alpha[..., None] > 0, noise, hidden), alpha]) * white
    return samples.astype(kind)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_visible_colors_go_on_behind_the_edge(kind):
    data = disc(kind)
    picture = Picture(data.copy())
    filled = fill_hidden(picture)
    white = np.iinfo(kind).max if np.dtype(kind).kind == "u" else 1.0
    visible = data[..., 3] > 0
    np.testing.assert_array_equal(filled.samples[visible], data[visible])
    assert (filled.pixels > 0.4 * white).all()
    # With the same noise, where a level is measured.
    part = filled.pixels[visible_part(picture)]
    assert part.shape[0] == np.flatnonzero(visible.any(1)).size
    assert part.std() / white == pytest.approx(0.03, rel=0.1)
    np.testing.assert_array_equal(picture.samples, data)


@pytest.mark.parametrize("hidden", [0, 255])
def test_the_hidden_color_does_not_matter_and_is_kept(hidden):
    data = disc()
    other = data.copy()
    other[data[..., 3] == 0, :3] = hidden
    picture = Picture(other)
    filled = fill_hidden(picture)
    np.testing.assert_array_equal(filled.samples, fill_hidden(Picture(data)).samples)
    filled.pixels[...] //= 2
    result = restore_hidden(filled, picture).samples
    expected = np.where(data[..., 3:] > 0, other[..., :3] // 2, other[..., :3])
    np.testing.assert_array_equal(result[..., :3], expected)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_multiplied_colors_come_back_and_see_no_black(kind):
    data = disc(kind)
    white = np.iinfo(kind).max if np.dtype(kind).kind == "u" else 1.0
    multiplied = data[..., :3] * (data[..., 3:] / white)
    data[..., :3] = multiplied if white == 1.0 else np.rint(multiplied)
    data[0, 0] = np.array([0.2, 0.1, 0.3, 0]) * white  # Light without cover, as a flame's.
    picture = Picture(data.copy(), premultiplied=True)
    filled = fill_hidden(picture)
    assert (filled.pixels[2:-2] > 0.3 * white).mean() > 0.99
    result = restore_hidden(filled, picture)
    assert result.premultiplied
    np.testing.assert_allclose(result.samples, data, rtol=1e-6)


def test_what_is_opaque_or_all_hidden_stays():
    opaque = Picture(np.full((4, 4, 3), 9, np.uint8))
    assert fill_hidden(opaque) is opaque and restore_hidden(opaque, opaque) is opaque
    empty = Picture(np.zeros((4, 4, 4), np.uint8))
    np.testing.assert_array_equal(restore_hidden(fill_hidden(empty), empty).samples, 0)
    assert visible_part(empty) == (slice(None), slice(None))
