"""Compares the simulated camera's noise with that of real cameras.

    python tools/checks/check_camera_noise.py --pairs='data/polyu/*' --rename=_real,_mean \
        --photographs=gin_configs/data/photos_validation.txt --crops='data/camera_noisy/*.png' \
        --output=camera_noise.png

Prints for the differences of real pairs and for simulated ones: power at frequencies from 0 to half
a cycle per pixel, relative to that of the lowest, of luma and of blue and red minus luma; standard
deviations of these relative to luma's; correlations of channels; noise by brightness and by the
local standard deviation of the image. Draws 24 simulated samples above 8 real crops and 8 noisy
images of the pairs.
"""

import argparse
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import scipy.ndimage
import tensorflow as tf

from mallenet_tf.common.progress import progress
from mallenet_tf.common.srgb import LUMA
from mallenet_tf.data import CameraNoise
from mallenet_tf.image_io import decode_image, list_images, load_pairs, write_image

FREQUENCIES = np.array([0.02, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5])
BRIGHTNESS = np.arange(0, 257, 32)
TEXTURE = np.array([0, 1, 2, 4, 8, 16, 32, 256])
BLOCK, SIDE, ROW = 64, 128, 8

Pair = tuple[np.ndarray, np.ndarray]


def spectrum(noise: np.ndarray) -> np.ndarray:
    """Returns the mean power in rings of frequency, relative to the lowest, of [H, W]."""
    rows, columns = (side // BLOCK for side in noise.shape)
    blocks = noise[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    window = np.outer(np.hanning(BLOCK), np.hanning(BLOCK))
    centered = blocks - blocks.mean((1, 3), keepdims=True)
    power = np.abs(np.fft.fft2(centered.transpose(0, 2, 1, 3) * window)) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(BLOCK), np.fft.fftfreq(BLOCK)))
    rings = [
        power.mean((0, 1))[(radius >= low) & (radius < high)].mean()
        for low, high in itertools.pairwise(FREQUENCIES)
    ]
    return np.array(rings) / rings[0]


def by_bins(noise: np.ndarray, values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Returns the root mean square of noise where values lie between edges, relative to all."""
    inside = [
        (values >= low) & (values < high) for low, high in zip(edges, edges[1:], strict=False)
    ]
    sizes = [np.sqrt(np.mean(noise[part] ** 2)) if part.sum() > 500 else np.nan for part in inside]
    return np.array(sizes) / np.sqrt(np.mean(noise**2))


def statistics(noisy: np.ndarray, clean: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the statistics of a pair, float [H, W, 3] in 8-bit units."""
    noise = noisy - clean
    luma, bright = noise @ np.array(LUMA), clean @ np.array(LUMA)
    blue, red = noise[..., 2] - luma, noise[..., 0] - luma
    mean = scipy.ndimage.gaussian_filter(bright, 2)
    square = scipy.ndimage.gaussian_filter(bright**2, 2)
    correlations = np.corrcoef(noise.reshape(-1, 3).T)
    return {
        "root mean square": np.sqrt(np.mean(noise**2))[None],
        "spectrum of luma": spectrum(luma),
        "spectrum of blue - luma": spectrum(blue),
        "spectrum of red - luma": spectrum(red),
        "blue, red - luma / luma": np.array([blue.std(), red.std()]) / luma.std(),
        "correlation RG, GB, RB": correlations[[0, 1, 0], [1, 2, 2]],
        "by brightness": by_bins(luma, mean, BRIGHTNESS),
        "by local deviation": by_bins(luma, np.sqrt(np.maximum(square - mean**2, 0.0)), TEXTURE),
    }


def print_statistics(title: str, pairs: Iterator[Pair], count: int) -> None:
    """Prints means over pairs."""
    rows = [statistics(*pair) for pair in progress(pairs, count, title, unit="pair")]
    print(f"\n{title}, {len(rows)} pairs")
    for name in rows[0]:
        means = np.nanmean([row[name] for row in rows], 0)
        print(f"  {name:24s}" + " ".join(f"{value:6.2f}" for value in means))


def middle(image: np.ndarray) -> np.ndarray:
    """Returns the middle of an image, [SIDE, SIDE, 3]."""
    top, left = (max(0, (side - SIDE) // 2) for side in image.shape[:2])
    return image[top : top + SIDE, left : left + SIDE]


def sheet(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """Returns rows of ROW tiles, uint8; places for which there is no tile are black."""
    places = np.zeros((-(-len(tiles) // ROW) * ROW, SIDE, SIDE, 3), np.uint8)
    for place, tile in zip(places, tiles, strict=False):
        height, width = tile.shape[:2]
        place[:height, :width] = np.rint(np.clip(tile, 0, 255))
    rows = places.reshape(-1, ROW, SIDE, SIDE, 3).transpose(0, 2, 1, 3, 4)
    return rows.reshape(-1, ROW * SIDE, 3)


def main() -> None:
    """Prints both sets of statistics and draws the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", nargs="+", required=True, help="noisy images of real pairs")
    parser.add_argument("--rename", default="_real,_mean", help="OLD,NEW in a clean image's name")
    parser.add_argument("--photographs", nargs="+", required=True, help="clean photographs")
    parser.add_argument("--crops", nargs="+", required=True, help="real noisy photographs")
    parser.add_argument("--every", type=int, default=4, help="use every Nth pair and photograph")
    parser.add_argument("--output", type=Path, required=True, help="the sheet, PNG")
    options = parser.parse_args()
    old, new = options.rename.split(",")
    real = [
        (noisy, clean)
        for index, (_, noisy, clean) in enumerate(load_pairs(options.pairs, (old, new), 3))
        if index % options.every == 0
    ]
    print_statistics("real", ((a.astype(float), b.astype(float)) for a, b in real), len(real))

    pair = tf.function(CameraNoise(level=(2.5, 6.0)).training_pair, reduce_retracing=True)
    photographs = list_images(options.photographs)[:: options.every]

    def simulated(crop: bool) -> Iterator[Pair]:
        for number, path in enumerate(photographs):
            clean = decode_image(path).astype(np.float32) / 255.0
            clean = middle(clean) if crop else clean
            noisy, target = pair(tf.constant(clean), tf.constant([0, number], tf.int64))
            yield noisy.numpy() * 255.0, target.numpy() * 255.0

    print_statistics("simulated", simulated(crop=False), len(photographs))
    tiles = [noisy for noisy, _ in list(simulated(crop=True))[: 3 * ROW]]
    tiles += [middle(decode_image(path)) for path in list_images(options.crops)[:ROW]]
    tiles += [middle(noisy) for noisy, _ in real[:: max(1, len(real) // ROW)][:ROW]]
    write_image(options.output, sheet(tiles).repeat(2, 0).repeat(2, 1))
    print(f"\nWrote {options.output}")


if __name__ == "__main__":
    main()
