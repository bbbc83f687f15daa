"""Scores on real noise and the servers' files, from fakes of the official archives."""

import base64
import csv

import h5py
import keras
import numpy as np
import pytest
import scipy.io
import tensorflow as tf
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from mallenet_tf import models
from mallenet_tf.common.errors import UserError
from mallenet_tf.data import GaussianNoise, JpegNoise
from mallenet_tf.data.noise.poisson_gaussian import PoissonGaussianNoise
from mallenet_tf.data.random_numbers import derive_key, sample_seed
from mallenet_tf.evaluation import real_noise_benchmark, ssim_3d, submission
from mallenet_tf.evaluation.validation import NoiseValidation, PairValidation, SiddValidation
from mallenet_tf.image_io import load_images
from mallenet_tf.inference import Denoiser
from mallenet_tf.models import load_model
from mallenet_tf.models.denoising_model import image_input
from tests.helpers import fake_data_sets as fakes
from tests.helpers.binaries import run_binary


@keras.saving.register_keras_serializable("mallenet_tests")
class OneConvolution(models.DenoisingModel):
    """Subtracts a convolution of its input: traced at once, where MalleNet takes seconds."""

    def __init__(self, noise_conditioned=0, name="one_convolution", **_):
        inputs, noisy = image_input(3, noise_conditioned)
        noise = keras.layers.Conv2D(3, 3, padding="same")(inputs)
        options = {
            "image_channels": 3,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": None,
        }
        super().__init__(inputs, keras.layers.Subtract()([noisy, noise]), options, name)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.keras"
    OneConvolution().save(path)
    return path


@pytest.fixture(scope="module")
def sidd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sidd")
    names = [f"{name}BlocksSrgb" for name in ("ValidationNoisy", "ValidationGt", "BenchmarkNoisy")]
    return folder, fakes.make_sidd_blocks(folder, *names)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    random = np.random.default_rng(0)
    for index in range(3):
        clean = random.integers(20, 236, (17 + index, 24, 3), dtype=np.uint8)
        noise = random.integers(-20, 20, clean.shape)
        Image.fromarray(clean).save(folder / f"{index}_mean.png")
        Image.fromarray((clean + noise).astype(np.uint8)).save(folder / f"{index}_real.png")
    return folder


def read(path):
    return np.asarray(Image.open(path))


def outputs(weights, images):
    denoise = Denoiser(load_model(weights))
    return [denoise(image) for image in images]


def test_pairs_are_scored_in_8_bits(weights, photographs, tmp_path, capsys):
    output = tmp_path / "out.csv"
    rows = real_noise_benchmark.score_pairs(weights, [photographs], ("_real", "_mean"), output)
    cleans = [read(photographs / f"{i}_mean.png") for i in range(3)]
    noisies = [read(photographs / f"{i}_real.png") for i in range(3)]
    expected = [
        peak_signal_noise_ratio(clean, answer)
        for clean, answer in zip(cleans, outputs(weights, noisies), strict=True)
    ]
    assert [row["psnr"] for row in rows[:3]] == pytest.approx(expected)
    noisy_scores = list(map(peak_signal_noise_ratio, cleans, noisies))
    assert rows[3]["psnr_noisy"] == pytest.approx(np.mean(noisy_scores))
    assert rows[3]["image"] == "mean" and rows[3]["psnr"] == pytest.approx(np.mean(expected))
    with output.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["track"] for line in lines] == ["real"] * 4
    assert [line["sigma"] for line in lines] == [""] * 4
    assert float(lines[0]["ssim_3d"]) == pytest.approx(rows[0]["ssim_3d"])
    assert f"{rows[3]['psnr']:.2f}" in capsys.readouterr().out


def test_sidd_is_scored_block_by_block_in_float(weights, sidd):
    folder, arrays = sidd
    noisy, clean = (arrays[f"Validation{name}BlocksSrgb"] for name in ("Noisy", "Gt"))
    rows = real_noise_benchmark.score_sidd(weights, folder)
    floats = [noisy[i, j].astype(np.float32) / 255 for i, j in np.ndindex(noisy.shape[:2])]
    answers = outputs(weights, floats)
    for row, (i, j), answer in zip(rows, np.ndindex(noisy.shape[:2]), answers, strict=False):
        truth = clean[i, j] / 255.0
        assert row["image"] == f"{i:02d}_{j:02d}" and row["track"] == "real-float"
        score = peak_signal_noise_ratio(truth, answer.astype(np.float64), data_range=1)
        assert row["psnr"] == pytest.approx(score, abs=1e-6)
        assert row["ssim_3d"] == pytest.approx(ssim_3d(truth, answer), abs=1e-6)
    assert len(rows) == len(answers) + 1
    assert rows[-1]["psnr"] == pytest.approx(np.mean([row["psnr"] for row in rows[:-1]]))


def test_sidd_files_that_do_not_fit_are_named(weights, tmp_path):
    with pytest.raises(UserError, match="ValidationNoisyBlocksSrgb"):
        real_noise_benchmark.score_sidd(weights, tmp_path)


def test_sidd_submissions_hold_the_denoised_benchmark(weights, sidd, tmp_path):
    folder, arrays = sidd
    noisy = arrays["BenchmarkNoisyBlocksSrgb"]
    places = list(np.ndindex(noisy.shape[:2]))
    answers = outputs(weights, [noisy[place] for place in places])
    mat, table = tmp_path / "SubmitSrgb.mat", tmp_path / "SubmitSrgb.csv"
    submission.submit(weights, "sidd", folder, mat, {"Authors": "Jane Doe"})
    stored = scipy.io.loadmat(mat, simplify_cells=True)
    assert stored["OptionalData"] == {"MethodName": "small", "Authors": "Jane Doe"}
    assert stored["TimeMPSrgb"] > 0
    for place, answer in zip(places, answers, strict=True):
        np.testing.assert_array_equal(stored["DenoisedBlocksSrgb"][place], answer)
    submission.submit(weights, "sidd_kaggle", folder, table)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, answer in zip(rows, answers, strict=True):
        assert base64.b64decode(row["BLOCK"]) == answer.tobytes()


def test_dnd_bundle_holds_the_denoised_crops(weights, tmp_path):
    images, boxes = fakes.make_dnd(tmp_path / "dnd", images=2, boxes=20)
    submission.submit(weights, "dnd", tmp_path / "dnd", tmp_path / "bundled")
    for number, (image, places) in enumerate(zip(images, boxes.astype(int), strict=True), 1):
        stored = scipy.io.loadmat(tmp_path / "bundled" / f"{number:04d}.mat")
        cuts = [image[b[0] - 1 : b[2], b[1] - 1 : b[3]] for b in places]
        for crop, answer in zip(stored["Idenoised"][0], outputs(weights, cuts), strict=True):
            np.testing.assert_array_equal(crop, answer)
    with h5py.File(tmp_path / "dnd" / "info.mat", "r+") as file:
        del file["info"]
    with pytest.raises(UserError, match="boundingboxes"):
        submission.submit(weights, "dnd", tmp_path / "dnd", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_validations_give_the_scores_of_the_evaluation(weights, sidd, photographs):
    model = load_model(weights)
    scores, pictures = PairValidation(photographs, ("_real", "_mean")).scorer(model)(model)
    rows = real_noise_benchmark.score_pairs(weights, [photographs], ("_real", "_mean"))
    assert scores == {"pairs": pytest.approx(rows[-1]["psnr"])}
    assert list(pictures) == ["0_real.png", "1_real.png"]
    scores, pictures = SiddValidation(sidd[0], limit=2).scorer(model)(model)
    rows = real_noise_benchmark.score_sidd(weights, sidd[0])
    chosen = [rows[0]["psnr"], rows[2]["psnr"]]  # evenly spread over the images
    assert list(pictures) == ["00_00", "01_00"]
    assert scores == {"pairs": pytest.approx(np.mean(chosen), abs=0.01)}  # rounded to 8 bits here


@pytest.mark.parametrize(
    "noise",
    [
        PoissonGaussianNoise(conditioned=True),
        JpegNoise(GaussianNoise(9.0, conditioned=True), conditioned=True),
    ],
    ids=["one map", "two maps"],
)
def test_noise_validation_feeds_the_noise_level_maps(noise, photographs):
    model = OneConvolution(noise.noise_level_maps)
    model.kernel_spacing = 2
    validation = NoiseValidation(photographs / "*_mean.png", noise, limit=1)
    score = validation.scorer(model)
    scores, pictures = score(model)
    assert score(model)[0] == scores
    ((name, clean),) = list(load_images(photographs / "0_mean.png"))
    seed = sample_seed(derive_key(0, "validation"), 0)
    given = noise.apply(tf.constant(clean / 255, tf.float32), seed).numpy()
    margin, (height, width) = model.margin, clean.shape[:2]
    below, right = (-(side + 2 * margin) % 2 for side in (height, width))  # to whole kernels
    padding = ((margin, margin + below), (margin, margin + right), (0, 0))
    padded = np.pad(given, padding, mode="reflect")
    answer = model(padded[None])[0, margin : margin + height, margin : margin + width].numpy()
    answer = np.rint(np.clip(answer, 0, 1) * 255)
    assert scores["noise"] == pytest.approx(
        peak_signal_noise_ratio(clean, answer, data_range=255), abs=1e-3
    )
    assert list(pictures) == [name]


def test_a_network_of_several_noise_level_maps_is_not_told_a_sigma():
    denoise = Denoiser(OneConvolution(2))
    with pytest.raises(ValueError, match="takes 2 noise level maps.*Received: sigma=None"):
        denoise(np.zeros((8, 8, 3), np.uint8))


def test_the_binaries(repository, sidd, photographs, tmp_path):
    weights = tmp_path / "mallenet.keras"
    models.MalleNet(width=1, blocks=0, implementation="reference").save(weights)
    done = run_binary(
        "evaluate",
        repository,
        f"--weights={weights}",
        f"--pairs={photographs}",
        "--rename=_real,_mean",
        f"--output={tmp_path / 'pairs.csv'}",
    )
    assert done.returncode == 0, done.stderr
    assert "3-D SSIM" in done.stdout and (tmp_path / "pairs.csv").exists()
    done = run_binary(
        "submit",
        repository,
        f"--weights={weights}",
        "--benchmark=sidd",
        f"--data={sidd[0]}",
        f"--output={tmp_path / 'SubmitSrgb.mat'}",
        "--about=Authors=Jane Doe = me",
    )
    assert done.returncode == 0, done.stderr
    assert "Wrote" in done.stdout and "4/4 blocks" in done.stderr
    stored = scipy.io.loadmat(tmp_path / "SubmitSrgb.mat", simplify_cells=True)
    assert stored["OptionalData"]["Authors"] == "Jane Doe = me"


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("evaluate", ["--weights=x", "--data=y", "--sidd=z"], "one of --data, --pairs and --sidd"),
        ("evaluate", ["--weights=x", "--pairs=y", "--rename=z"], "Received: --rename=z"),
        ("evaluate", ["--weights=x", "--pairs=y", "--sigma=9"], "--sigma goes with --data"),
        ("submit", ["--weights=x"], "Give --weights, --benchmark, --data and --output"),
        (
            "submit",
            ["--weights=x", "--benchmark=nam", "--data=y", "--output=z"],
            "Received: --benchmark=nam",
        ),
        (
            "submit",
            ["--weights=x", "--benchmark=dnd", "--data=y", "--output=z", "--about=Authors"],
            "Give --about=KEY=TEXT",
        ),
    ],
)
def test_mistakes_are_one_line(repository, module, arguments, message):
    done = run_binary(module, repository, *arguments)
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
