"""Trains the estimator of noise of any grain, `mallenet_tf.inference.level_estimation`.

    python tools/train_level_estimator.py --photographs=gin_configs/data/photos_training.txt \
        --output=mallenet_tf/weights/level_estimator.npz

Crops of photographs, enlarged and darkened at random, and some drawings get noise of the simulated
camera, white noise or none. A network of two hidden layers learns the logarithm of the level from
their statistics. 9,000 crops take 15 minutes on one CPU core; the errors on a tenth of them are
printed.
"""

import argparse
import logging
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mallenet_tf.common.files import atomic_path
from mallenet_tf.common.progress import progress
from mallenet_tf.common.srgb import LUMA
from mallenet_tf.data import CameraNoise, Drawings, GaussianNoise, RandomChoice, SampleShape
from mallenet_tf.image_io import decode_image, list_images
from mallenet_tf.inference.level_estimation import TILE, level_features

NOISE = RandomChoice(
    (
        CameraNoise(
            level=(0.4, 40.0),
            chroma_blur=(1.4, 6.0),
            chroma=(0.05, 1.2),
            texture=(0.0, 0.12),
            conditioned=True,
        ),
        GaussianNoise((0.0, 60.0), conditioned=True),
        GaussianNoise(0.0, conditioned=True),
    ),
    (0.65, 0.2, 0.15),
)
GRAY = 0.15  # Share of gray crops.
DRAWINGS = 0.15  # Share of crops with flats, lines and text, which are not noise.
LEAST_LEVEL = 0.3  # Levels below are all the same.
ENLARGED = (1.0, 2.2)
GAMMA = (0.8, 1.8)
EPOCHS, BATCH = 150, 64


def random_crop(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns a crop of a photograph, softer and darker at random, float32 in [0, 1]."""
    factor = random.uniform(*ENLARGED) if random.random() < 0.6 else 1.0
    factor = max(factor, TILE / min(image.shape[:2]))
    size = [int(np.ceil(side * factor)) for side in image.shape[:2]]
    larger = tf.image.resize(image, size, "bicubic").numpy()
    top, left = (random.integers(side - TILE + 1) for side in size)
    crop = np.clip(larger[top : top + TILE, left : left + TILE] / 255.0, 0.0, 1.0)
    return (crop ** random.uniform(*GAMMA)).astype(np.float32)


def samples(photographs: list[Path], count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns features and levels of crops with noise."""
    random = np.random.default_rng(seed)
    add_noise = tf.function(NOISE.apply)
    draw = tf.function(Drawings().sample_function(SampleShape(TILE, 3, 1), seed))
    features, levels = [], []
    for number in progress(range(count), count, "Crops", unit="crop"):
        if random.random() < DRAWINGS:
            crop = draw(tf.constant(number, tf.int64)).numpy() / np.float32(255.0)
        else:
            image = decode_image(photographs[random.integers(len(photographs))])
            crop = random_crop(image, random)
        if random.random() < GRAY:
            crop = (crop @ np.array(LUMA, np.float32))[..., None]
        noisy = add_noise(tf.constant(crop), tf.constant([seed, number], tf.int64)).numpy()
        stored = np.rint(np.clip(noisy[..., :-1], 0.0, 1.0) * 255.0) / np.float32(255.0)
        features.append(level_features(np.broadcast_to(stored, (TILE, TILE, 3))))
        levels.append(noisy[0, 0, -1] * 255.0)
    return np.array(features), np.array(levels)


def train(features: np.ndarray, levels: np.ndarray) -> dict[str, np.ndarray]:
    """Trains on nine tenths, prints the errors on the last, and returns the arrays of the file."""
    targets = np.log(np.maximum(levels, LEAST_LEVEL))
    kept = len(features) // 10
    mean, deviation = features[kept:].mean(0), features[kept:].std(0) + 1e-3
    inputs = (features - mean) / deviation
    layers = [keras.layers.Dense(units, "silu") for units in (48, 24)]
    model = keras.Sequential(
        [
            keras.Input(features.shape[1:]),
            keras.layers.GaussianNoise(0.05),
            *layers,
            keras.layers.Dense(1),
        ]
    )
    steps = EPOCHS * ((len(features) - kept) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=0.01), keras.losses.Huber(0.3))
    model.fit(inputs[kept:], targets[kept:], BATCH, EPOCHS, verbose=0)
    errors = model.predict(inputs[:kept], verbose=0)[:, 0] - targets[:kept]
    for low, high in ((0, 1), (1, 4), (4, 10), (10, 60)):
        inside = (levels[:kept] >= low) & (levels[:kept] < high)
        middle, large = np.percentile(np.abs(errors[inside]), [50, 90])
        print(f"level {low:2d} to {high:2d}: error of the logarithm {middle:.2f}, 90 % {large:.2f}")
    arrays = {"mean": mean, "deviation": deviation}
    for index, layer in enumerate([*layers, model.layers[-1]]):
        arrays[f"kernel{index}"], arrays[f"bias{index}"] = layer.get_weights()
    return arrays


def main() -> None:
    """Makes the samples, trains and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", nargs="+", required=True, help="folders, globs or lists")
    parser.add_argument("--output", type=Path, required=True, help="the .npz file")
    parser.add_argument("--samples", type=int, default=9000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    keras.utils.set_random_seed(options.seed)
    photographs = list_images(options.photographs)
    arrays = train(*samples(photographs, options.samples, options.seed))
    with atomic_path(options.output) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
