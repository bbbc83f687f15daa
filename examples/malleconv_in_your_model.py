"""Puts MalleConv into a small Keras model, trains it for a minute and draws its kernels.

    python examples/malleconv_in_your_model.py --output=build/malleconv_in_your_model.png

Trains on leaves, synthetic images that need no download, with noise of sigma 25.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mallenet_tf.data import GaussianNoise, Leaves, add_gaussian_noise, training_dataset
from mallenet_tf.data.sources.leaves import leaves_canvas
from mallenet_tf.evaluation import psnr
from mallenet_tf.image_io import row_of_panels, write_image
from mallenet_tf.layers import MalleConv

SIGMA = 25.0
SIZE = 192  # of the image that is drawn


def build_model(width: int = 16) -> keras.Model:
    """Three convolutions with a MalleConv among them; they predict the noise."""
    noisy = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(width, 3, padding="same", activation="relu", name="features")(noisy)
    x = MalleConv(kernel_size=1, name="malleconv")(x)
    x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(x)
    noise = keras.layers.Conv2D(3, 3, padding="same")(x)
    return keras.Model(noisy, keras.layers.Subtract()([noisy, noise]))


def kernel_map(model: keras.Model, noisy: np.ndarray) -> np.ndarray:
    """Colors of the three kernel channels that vary most over the image, [H, W, 3] in [0, 1].

    One color for each kernel that the predictor makes: with the default pooling of 4 they stand 8
    pixels apart. The op interpolates between them.
    """
    features = keras.Model(model.input, model.get_layer("features").output)(noisy[None])
    kernels, _ = model.get_layer("malleconv").predictor(features)
    kernels = keras.ops.convert_to_numpy(kernels)[0, :, :, 0]  # [h, w, C], as K is 1
    strongest = np.argsort(kernels.std(axis=(0, 1)))[-3:]
    chosen = kernels[..., strongest]
    low, high = np.percentile(chosen, [2, 98], axis=(0, 1))
    colors = np.clip((chosen - low) / (high - low), 0, 1)
    return np.kron(colors, np.ones((SIZE // len(colors), SIZE // len(colors), 1)))


def main(arguments: Sequence[str] | None = None) -> float:
    """Trains, writes the picture, and returns the gain in dB on an image not trained on."""
    parser = argparse.ArgumentParser(description="Trains a Keras model with a MalleConv in it.")
    default = Path("build/malleconv_in_your_model.png")
    parser.add_argument("--output", type=Path, default=default)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args(arguments)
    keras.utils.set_random_seed(0)

    model = build_model()
    batches = training_dataset([Leaves()], GaussianNoise(SIGMA), batch_size=8, patch_size=64)
    schedule = keras.optimizers.schedules.CosineDecay(5e-3, options.steps)
    model.compile(keras.optimizers.Adam(schedule, clipnorm=1.0), loss="mae")
    model.fit(batches, steps_per_epoch=options.steps, shuffle=False, verbose=2)

    clean = leaves_canvas(tf.constant([7, 1], tf.int64), SIZE).numpy()
    noisy = add_gaussian_noise(clean, SIGMA, "leaves")
    denoised = np.clip(model.predict(noisy[None], verbose=0)[0], 0, 1)
    before, after = psnr(clean / 255, noisy), psnr(clean / 255, denoised)
    print(f"PSNR: {before:.2f} dB noisy, {after:.2f} dB denoised")

    titles = [f"noisy, {before:.2f} dB", f"denoised, {after:.2f} dB", "predicted kernels"]
    panels = [np.clip(noisy, 0, 1), denoised, kernel_map(model, noisy)]
    write_image(options.output, row_of_panels(panels, titles))
    print(f"wrote {options.output}")
    return after - before


if __name__ == "__main__":
    main()
