"""Training and scoring networks for video."""

import keras
import numpy as np
import pytest
from keras import layers

from mallenet_tf.common.errors import UserError
from mallenet_tf.data import GaussianNoise, Leaves, MovingScenes, PoissonGaussianNoise
from mallenet_tf.evaluation.video_validation import SceneValidation, VideoValidation
from mallenet_tf.models.denoising_model import DenoisingModel, image_input
from tests.helpers.training_cases import Patches, experiment, logged
from tests.helpers.video_clips import moving_frames, write_folder

SCENES = MovingScenes(Patches(), speed=(0.0, 1.0))


@keras.saving.register_keras_serializable("mallenet_tests")
class TinyVideo(DenoisingModel):
    """One convolution over all frames; with `width` 0 it returns the noisy middle frame."""

    def __init__(
        self,
        frames=3,
        width=4,
        image_channels=3,
        noise_conditioned=False,
        trained_sigma=None,
        name="tiny_video",
    ):
        inputs, stack = image_input(image_channels, noise_conditioned, frames)
        start = frames // 2 * image_channels
        outputs = stack[..., start : start + image_channels]
        if width:
            stem = layers.Conv2D(width, 3, padding="same", activation="relu", name="stem")
            noise = layers.Conv2D(image_channels, 3, padding="same", name="noise")(stem(inputs))
            outputs = layers.Subtract(dtype="float32")([outputs, noise])
        else:
            outputs = outputs + 0.0
        options = {
            "frames": frames,
            "width": width,
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
        }
        super().__init__(inputs, outputs, options, name)


def test_a_network_for_video_trains_and_is_scored(tmp_path):
    network = experiment(
        tmp_path,
        8,
        model=lambda: TinyVideo(noise_conditioned=1),
        sources=[SCENES],
        noise=GaussianNoise(25.0, conditioned=True),
        validation=SceneValidation(SCENES, count=2, size=32),
        validate_every=4,
    )
    assert keras.models.load_model(tmp_path / "best.keras").frames == network.frames == 3
    scores = [value for _, value in logged(tmp_path)[0]["validation_psnr/sigma_25"]]
    assert len(scores) == 2 and scores[1] > scores[0]


def test_images_cannot_train_a_network_for_video(tmp_path):
    with pytest.raises((UserError, ValueError), match="takes 3 frames learns from videos"):
        experiment(tmp_path, 1, model=TinyVideo, sources=[Leaves()])


@pytest.mark.parametrize("channels", [1, 3])
def test_scores_are_those_of_the_noise_for_a_network_that_does_nothing(tmp_path, channels):
    for number in range(2):
        write_folder(tmp_path / f"video{number}", 60 + moving_frames(6, 64, 64, seed=number) // 2)
    network = TinyVideo(3, 0, channels)
    for validation in (
        VideoValidation(tmp_path, (10.0, 25.0), size=48),
        SceneValidation(SCENES, (10.0, 25.0), count=8, size=48),
    ):
        scores, pictures = validation.scorer(network)(network)
        assert scores["sigma_10"] == pytest.approx(20 * np.log10(255 / 10), abs=0.6)
        assert list(scores) == ["sigma_10", "sigma_25"] and len(pictures) == 4
        assert validation.scorer(network)(network)[0] == scores


def test_networks_of_one_and_of_more_frames_are_given_the_same_noise(tmp_path):
    write_folder(tmp_path / "video", moving_frames(9, 40, 40))
    three, one = TinyVideo(3, 0), TinyVideo(1, 0)
    scenes = SceneValidation(SCENES, count=3, size=32, frames=3)
    assert scenes.scorer(three)(three)[0] == scenes.scorer(one)(one)[0]
    with pytest.raises(ValueError, match="takes 5 frames. Received: windows of 3"):
        scenes.scorer(TinyVideo(5, 0))


def test_a_cameras_noise_is_scored_with_its_noise_level_map():
    noise = PoissonGaussianNoise((6.4e-3, 6.4e-3), (2e-2, 2e-2), conditioned=True)
    network = TinyVideo(3, 0, noise_conditioned=1)
    scores, _ = SceneValidation(SCENES, noise=noise, count=2, size=32).scorer(network)(network)
    assert list(scores) == ["noise"] and 10 < scores["noise"] < 40


def test_videos_too_short_to_score_are_named(tmp_path):
    write_folder(tmp_path / "video", moving_frames(2, 40, 40))
    with pytest.raises(ValueError, match="fewer frames than the 3 .*video with 2"):
        VideoValidation(tmp_path).scorer(TinyVideo(3, 0))
