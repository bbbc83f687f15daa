"""A few steps of training on real photographs, and what must hold for any network after them."""

import keras
import numpy as np
import tensorflow as tf

from mallenet_tf.image_io import load_images


def photograph_crops(folder, count=4, size=16, sigma=50.0):
    """Noisy and clean colour crops, float32 [count, size, size, 3], of photographs of BSD400."""
    random = np.random.default_rng(0)
    clean = []
    for _, image in load_images(f"{folder}/bsd400/10*.jpg", 3):
        y, x = (random.integers(0, side - size + 1) for side in image.shape[:2])
        clean.append(image[y : y + size, x : x + size] / np.float32(255))
        if len(clean) == count:
            break
    clean = np.stack(clean)
    noise = random.normal(0, sigma / 255, clean.shape)
    return (clean + noise).astype(np.float32), clean


def train_a_little(model, noisy, clean, epochs, learning_rate=2e-3, eagerly=False, batch_size=4):
    """Trains with L1 and Adam and returns the loss of every epoch.

    A few steps of a network with deformable convolutions are faster than tracing its graph.
    """
    model.compile(keras.optimizers.Adam(learning_rate), "mae", run_eagerly=eagerly)
    history = model.fit(noisy, clean, batch_size=batch_size, epochs=epochs, verbose=0).history
    return history["loss"]


def check_gradients(model, noisy, clean):
    """Every trainable variable gets a finite gradient that is not zero."""
    values = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(model(noisy, training=True) - clean))
    for variable, gradient in zip(
        model.trainable_variables, tape.gradient(loss, values), strict=True
    ):
        assert gradient is not None, variable.path
        assert np.all(np.isfinite(gradient)), variable.path
        assert np.any(np.asarray(gradient)), variable.path


def change_without(model, layers, noisy):
    """By how much the output changes, at most, when the weights of some layers are zero."""
    before = np.asarray(model(noisy))
    weights = [layer.get_weights() for layer in layers]
    for layer in layers:
        layer.set_weights([np.zeros_like(value) for value in layer.get_weights()])
    change = np.max(np.abs(model(noisy) - before))
    for layer, values in zip(layers, weights, strict=True):
        layer.set_weights(values)
    return change
