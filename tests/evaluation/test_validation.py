"""Validations: a wrong one is refused when it is made, and no score is infinite."""

import math

import keras
import numpy as np
import pytest
from PIL import Image

from mallenet_tf.data import GaussianNoise, Leaves, MovingScenes
from mallenet_tf.evaluation.validation import (
    NoiseValidation,
    PairValidation,
    SiddValidation,
    Validation,
    mean_psnr,
)
from mallenet_tf.evaluation.video_validation import SceneValidation, VideoValidation
from mallenet_tf.models import build_model

SCENES = MovingScenes()


@pytest.mark.parametrize(
    "make", [Validation, VideoValidation, lambda _, **given: SceneValidation(SCENES, **given)]
)
@pytest.mark.parametrize(
    "sigmas", [25.0, (), "25", ("25",), (None,), (True,), (-1.0,), (math.inf,)]
)
def test_noise_levels_are_a_list_of_numbers(make, sigmas):
    with pytest.raises(ValueError, match="sigmas is a list of noise levels.* Received: sigmas="):
        make("photographs", sigmas=sigmas)


def noise_validation(patterns, **given):
    return NoiseValidation(patterns, GaussianNoise(), **given)


FILES = [Validation, noise_validation, PairValidation, VideoValidation]


@pytest.mark.parametrize("make", [*FILES, SiddValidation])
@pytest.mark.parametrize("limit", [0, -1, 2.0, "2", True])
def test_a_limit_is_a_number_of_images(make, limit):
    with pytest.raises(ValueError, match="limit must be an integer, at least 1. Received: limit="):
        make("photographs", limit=limit)
    assert make("photographs", limit=None).limit is None


@pytest.mark.parametrize("make", FILES)
@pytest.mark.parametrize("patterns", [5, (), ["photographs", 5], None])
def test_patterns_are_paths(make, patterns):
    with pytest.raises(ValueError, match="Received: patterns="):
        make(patterns)


@pytest.mark.parametrize(
    "make, received",
    [
        (lambda: Validation("photographs", pictures=None), "pictures=None"),
        (lambda: NoiseValidation("photographs", GaussianNoise), "noise=<class"),
        (lambda: VideoValidation("videos", noise=25.0), "noise=25.0"),
        (lambda: VideoValidation("videos", each=0), "each=0"),
        (lambda: VideoValidation("videos", size=0.5), "size=0.5"),
        (lambda: SceneValidation(Leaves()), r"source=Leaves\("),
        (lambda: SceneValidation(MovingScenes), "source=<class"),
        (lambda: SceneValidation(SCENES, count=0), "count=0"),
        (lambda: SceneValidation(SCENES, frames=0), "frames=0"),
    ],
)
def test_other_values_that_would_fail_later_are_refused(make, received):
    with pytest.raises(ValueError, match=f"Received: {received}"):
        make()


def test_the_score_of_an_image_without_error_is_finite(tmp_path):
    """A network that is told sigma 0 returns its input."""
    pixels = np.random.RandomState(0).randint(0, 256, (16, 16, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    keras.utils.set_random_seed(0)
    model = build_model("mallenet_s", width=4, blocks=0, noise_conditioned=True)
    scores, _ = Validation(tmp_path, sigmas=(0.0, 15.0)).scorer(model)(model)
    assert scores["sigma_0"] == 100.0
    assert math.isfinite(sum(scores.values()))


def test_an_image_counts_as_100_db_at_most():
    assert mean_psnr([math.inf, 30.0]) == 65.0
    assert mean_psnr([29.0, 31.0]) == 30.0
