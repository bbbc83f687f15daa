"""A MalleNet sees no difference between a whole image and its tiles, at any size."""

import numpy as np
import pytest

from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.evaluation import psnr
from mallenet_tf.inference import Denoiser
from mallenet_tf.inference.tiling import tile_spans
from mallenet_tf.models import MalleNet, load_model, shipped_weights


def photograph(height, width):
    import skimage.data

    return np.tile(skimage.data.astronaut(), (2, 2, 1))[:height, :width]


def border_mask(size, tile):
    """Pixels within 8 of where one tile starts to share with the next, or stops to."""
    mask = np.zeros(size, bool)
    spans = tile_spans(size, tile, 64, 64)
    for before, after in zip(spans, spans[1:], strict=False):
        mask[max(0, after.start - 8) : before.stop + 8] = True
    return mask


def check_tiles(model, height, width, tile=256):
    # Only trained networks: an untrained one answers its whole, large receptive field alike.
    clean = photograph(height, width)
    noisy = add_gaussian_noise(clean, 25, "tiles")
    sigma = 25 if model.noise_conditioned else None
    whole = Denoiser(model, tile=0)(noisy, sigma)
    tiled = Denoiser(model, tile=tile)(noisy, sigma)
    difference = np.abs(tiled - whole) * 255
    assert tiled.shape == clean.shape
    border = border_mask(height, tile)[:, None] | border_mask(width, tile)
    assert border.any()
    assert difference[border].mean() < 0.5
    assert abs(psnr(clean / 255, tiled) - psnr(clean / 255, whole)) < 0.05


@pytest.fixture(scope="module")
def small():
    """A narrow MalleNet with its random weights."""
    return Denoiser(MalleNet(width=4))


@pytest.mark.parametrize("name", sorted(shipped_weights()))
def test_tiles_of_shipped_networks_leave_no_seam(name):
    check_tiles(load_model(name), 333, 501)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (2, 100), (33, 65)], ids=str)
def test_any_size(small, size):
    image = photograph(*size)
    result = small(image)
    assert result.shape == image.shape and result.dtype == np.uint8
