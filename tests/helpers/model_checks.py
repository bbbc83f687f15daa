"""What every network must do, in one place."""

import keras
import numpy as np

from mallenet_tf.inference import Denoiser
from mallenet_tf.models import load_model
from tests.helpers.layer_checks import check_serialisation
from tests.helpers.short_training import check_gradients, train_a_little


def stripes(count, size, channels=3, sigma=0.1):
    """Noisy and clean striped images; the stripes differ from one half of an image to the other."""
    random = np.random.default_rng(0)
    x = np.arange(size, dtype=np.float32)
    clean = np.empty((count, size, size, channels), np.float32)
    for image in clean:
        for half in (slice(0, size // 2), slice(size // 2, size)):
            phase, frequency = random.random(2)
            image[half] = 0.5 + 0.4 * np.sin(x * (0.1 + frequency) + 6 * phase)[None, :, None]
    noisy = clean + random.normal(0, sigma, clean.shape).astype(np.float32)
    return noisy, clean


def check_training(model, size=16, steps=15, learning_rate=5e-3):
    """The loss falls, and after that every variable still has a finite gradient that is not 0."""
    noisy, clean = stripes(4, size, model.image_channels)  # one batch
    losses = train_a_little(model, noisy, clean, steps, learning_rate)
    assert losses[-1] < 0.95 * losses[0], losses
    check_gradients(model, noisy, clean)


def check_saving(model, folder):
    """A configuration and a file both make the same network again."""
    channels = model.inputs[0].shape[-1]
    size = 2 * model.size_multiple if model.size_multiple > 4 else 4 * model.size_multiple
    noisy = np.random.default_rng(0).random((2, size, size + model.size_multiple, channels))
    noisy = noisy.astype(np.float32)
    denoised = keras.ops.convert_to_numpy(model(noisy))
    assert denoised.shape == (*noisy.shape[:3], model.image_channels)
    check_serialisation(model, noisy, denoised)
    model.save(folder / "model.keras")
    again = load_model(folder / "model.keras")
    np.testing.assert_allclose(again(noisy), denoised, rtol=1e-5, atol=1e-6)
    options = ("image_channels", "noise_conditioned", "trained_sigma", "frames")
    for name in (*options, "size_multiple", "kernel_spacing"):
        assert getattr(again, name) == getattr(model, name)


def check_receptive_field(model, span=None):
    """One pixel changes nothing beyond the receptive field, and something well inside it."""
    reach = model.receptive_field_radius
    span = span or 2 * (reach + model.size_multiple + 8)
    span += -span % model.size_multiple
    rows = 2 * model.size_multiple
    image = np.random.default_rng(0).random((1, rows, span, model.inputs[0].shape[-1]))
    image = image.astype(np.float32)
    changed = image.copy()
    changed[0, rows // 2, span // 2] += 100.0
    columns = np.any(np.abs(model(changed) - model(image)) > 0, axis=(0, 1, 3)).nonzero()[0]
    found = max(span // 2 - columns.min(), columns.max() - span // 2)
    assert found <= reach
    assert found > reach // 4


def check_any_size(model):
    """Images of sides that the network cannot take as they are come back denoised, a row too."""
    denoise = Denoiser(model)
    random = np.random.default_rng(0)
    for shape in ((160, 96, 3), (1, 45, 3)):
        noisy = random.integers(0, 256, shape, np.uint8)
        denoised = denoise(noisy)
        assert denoised.shape == shape and denoised.dtype == np.uint8
        assert np.any(denoised != noisy)
