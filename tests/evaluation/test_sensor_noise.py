"""Scoring with a sensor's noise: its statistics, its map, and clips at steps between frames."""

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.common import srgb
from mallenet_tf.common.errors import UserError
from mallenet_tf.data import PoissonGaussianNoise
from mallenet_tf.evaluation import sensor_noise_benchmark as benchmark
from mallenet_tf.evaluation.baselines import BASELINES, average, find_baseline
from mallenet_tf.evaluation.evaluator import run
from mallenet_tf.evaluation.sensor_noise import Clip, SensorNoise, evaluate_clips
from mallenet_tf.inference import Denoiser
from mallenet_tf.models import build_model

HIGH = SensorNoise(6.4e-3, 2e-2)


@pytest.mark.parametrize("value", [40, 128, 230])
def test_the_noise_has_the_papers_variance_in_linear_light(value):
    clean = np.full((200, 200, 1), value, np.uint8)
    linear = srgb.to_linear(HIGH.add(clean, "a").astype(np.float64), np)
    intensity = srgb.to_linear(np.float64(value / 255), np)
    assert linear.mean() == pytest.approx(intensity, abs=4e-3)
    assert linear.var() == pytest.approx(6.4e-3 * intensity + 4e-4, rel=0.05)
    if value > 100:  # in the dark the transfer function bends within the noise
        noisy = HIGH.add(clean, "a")
        assert HIGH.deviation(noisy) == pytest.approx(float(noisy.std()), rel=0.1)


def test_noise_is_a_function_of_the_name():
    clean = np.full((8, 8, 3), 128, np.uint8)
    assert np.array_equal(HIGH.add(clean, "a"), HIGH.add(clean, "a"))
    assert not np.array_equal(HIGH.add(clean, "a"), HIGH.add(clean, "b"))


def test_the_map_is_the_one_of_training():
    model = PoissonGaussianNoise((6.4e-3,) * 2, (2e-2,) * 2, conditioned=True)
    clean = np.random.default_rng(0).random((8, 8, 3), np.float32)
    stacked = model.apply(clean, np.array([0, 1])).numpy()
    np.testing.assert_allclose(HIGH.level_map(stacked[..., :3]), stacked[..., 3:], rtol=1e-4)


def test_a_conditioned_network_is_told_the_map_it_was_trained_with():
    network = build_model("dncnn", depth=3, width=2, image_channels=1, noise_conditioned=True)
    network.level_map = "poisson_gaussian"
    denoiser = Denoiser(network)
    clean = np.random.default_rng(0).integers(0, 256, (16, 16, 1), dtype=np.uint8)
    noisy = HIGH.add(clean, "a")
    found = benchmark.network_method(denoiser)([noisy], HIGH)
    wanted = denoiser.denoise_window([noisy], None, HIGH.level_map(noisy))
    np.testing.assert_array_equal(found, wanted)


def test_clips_are_scored_by_subset_step_and_noise():
    frame = np.random.default_rng(0).integers(0, 256, (16, 16, 1), dtype=np.uint8)
    clips = [Clip(name, ["a", "b", "c"], [frame] * 3, step) for name in "xy" for step in (1, 2)]
    rows = evaluate_clips(lambda noisy, noise: average(noisy, 0.0), clips, [HIGH])
    means = [row for row in rows if row["image"] == "mean"]
    assert [(row["dataset"], row["step"]) for row in means] == [
        ("x", 1),
        ("x", 2),
        ("y", 1),
        ("y", 2),
    ]
    assert all(row["psnr"] > row["psnr_noisy"] + 3 for row in means)  # a third of the variance
    with pytest.raises(ValueError, match="no images"):
        evaluate_clips(lambda noisy, noise: noisy[0], [], [HIGH])


@pytest.fixture
def video(tmp_path):
    folder = tmp_path / "scene"
    folder.mkdir()
    for number in range(9):
        Image.fromarray(np.full((16, 16), 20 * number, np.uint8)).save(folder / f"{number}.png")
    return folder


def test_all_steps_have_the_same_middle_frames(video):
    clips = list(benchmark.video_clips({"s": str(video)}, 1, 3, (1, 2, 4), each=3))
    middles = [(clip.step, int(clip.frames[1][0, 0, 0]) // 20) for clip in clips]
    assert middles == [(1, 4), (2, 4), (4, 4)]
    firsts = [int(clip.frames[0][0, 0, 0]) // 20 for clip in clips]
    assert firsts == [3, 2, 0]


def test_the_command_scores_a_baseline_on_images_and_videos(video, tmp_path, capsys):
    table = tmp_path / "scores.csv"
    flags = {
        **{"weights": None, "pairs": [], "sidd": None, "rename": ["a", "b"], "sigmas": None},
        **{"clipped": False, "ensemble": False, "save_images": None, "tile": 0},
    }
    sensor = {"noise": "poisson_gaussian", "sigma_s": ["6.4e-3"], "sigma_r": ["2e-2"]}
    run(
        **flags,
        **sensor,
        data=[str(video)],
        video=[str(video)],
        output=str(table),
        baseline="average",
    )
    printed = capsys.readouterr().out
    assert printed.count("scene") == 2 and "0.0064" in printed
    assert table.read_text().count("mean") == 2
    with pytest.raises(UserError, match="takes --weights or --baseline"):
        run(**flags, **sensor, data=[], output=None)
    with pytest.raises(UserError, match="go with --noise"):
        run(**flags, data=["x"], output=None, baseline="average")
    with pytest.raises(UserError, match="Received: --sigma_s=2 --sigma_r=1e-2"):
        benchmark.parse_noises(["2"], ["1e-2"])


def test_baselines_return_the_frames_shape_and_unknown_ones_are_refused():
    noisy = np.random.default_rng(0).random((12, 12, 1), np.float32)
    for name in set(BASELINES) - {"BM3D"}:
        assert BASELINES[name]([noisy] * 3, 0.1).shape == noisy.shape
    with pytest.raises(UserError, match="Received: --baseline=wiener"):
        find_baseline("wiener")
