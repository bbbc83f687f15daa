"""TensorBoard's scalars and pictures of validation images; and the validation itself."""

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.evaluation.metrics import psnr
from mallenet_tf.evaluation.validation import Validation
from mallenet_tf.image_io import load_images, quantize
from mallenet_tf.training import optimizers
from mallenet_tf.training.events import EventLog
from tests.helpers.training_cases import TinyDenoiser, experiment, logged

SIZES = ((24, 40), (17, 9), (32, 32))  # height, width; the odd one needs padding


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.RandomState(2)
    for index, size in enumerate(SIZES):
        pixels = random.randint(0, 256, (*size, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return str(folder)


def test_scalars_and_picture_triples_are_logged(photographs, tmp_path):
    validation = Validation(photographs, sigmas=(15.0, 50.0), pictures=1)
    options = {"validation": validation, "validate_every": 2, "log_every": 2}
    experiment(tmp_path, 5, **options)
    scalars, events = logged(tmp_path)
    for tag in ("loss", "learning_rate", "images_per_second"):
        assert [step for step, _ in scalars[tag]] == [2, 4, 5]
    assert all(loss > 0 for _, loss in scalars["loss"])
    assert all(rate > 0 for _, rate in scalars["images_per_second"])
    schedule = optimizers.cosine(1e-2, 20, warmup=2)  # that of the experiment
    for step, rate in scalars["learning_rate"]:
        assert rate == pytest.approx(float(schedule(step)))
    for sigma in (15, 50):
        assert [step for step, _ in scalars[f"validation_psnr/sigma_{sigma}"]] == [2, 4, 5]
        shown = events.Tensors(f"0.png_sigma_{sigma}")
        assert [event.step for event in shown] == [2, 4, 5]
        width, height, png, *_ = tf.make_ndarray(shown[-1].tensor_proto)
        picture = np.array(Image.open(io.BytesIO(png)))
        assert picture.shape == (int(height), int(width), 3)
        clean = np.array(Image.open(f"{photographs}/0.png"))
        np.testing.assert_array_equal(picture[-24:, -40:], clean)  # the last of three panels
        noisy = quantize(add_gaussian_noise(clean, sigma, "0.png"))
        np.testing.assert_array_equal(picture[-24:, :40], noisy)  # the first
    assert not [tag for tag in events.Tags()["tensors"] if tag.startswith(("1.png", "2.png"))]


def test_a_network_that_does_nothing_scores_the_noise(photographs):
    """The validation's PSNR is the evaluation's: quantized, per image, then averaged."""
    model = TinyDenoiser()
    model.set_weights([0.0 * weight for weight in model.get_weights()])
    scores, _ = Validation(photographs, sigmas=(25.0,)).scorer(model)(model)
    expected = [
        psnr(image, quantize(add_gaussian_noise(image, 25.0, name)), 255)
        for name, image in load_images(photographs, 3)
    ]
    assert scores == {"sigma_25": pytest.approx(np.mean(expected), abs=1e-6)}
    limited, _ = Validation(photographs, limit=1).scorer(model)(model)
    assert limited == {"sigma_25": pytest.approx(expected[0], abs=1e-6)}


def test_validation_without_images_says_so_before_training(tmp_path):
    with pytest.raises((UserError, FileNotFoundError), match=str(tmp_path / "none")):
        experiment(tmp_path / "run", 1, validation=Validation(str(tmp_path / "none")))
    assert not (tmp_path / "run" / "state.npz").exists()


def test_a_folder_that_cannot_be_written_is_an_error_of_the_system():
    """TensorFlow's own errors would end as a traceback."""
    with pytest.raises(OSError, match="events cannot be written: [A-Z][a-z ]+$"):
        EventLog(Path("/proc/self/fdinfo"))  # Where not even root writes.
