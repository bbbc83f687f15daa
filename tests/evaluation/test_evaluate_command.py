"""`python -m mallenet_tf.evaluate`: its CSV, table and pictures, and what it says to mistakes."""

import csv

import keras
import numpy as np
import pytest

from mallenet_tf.common.checks import parse_sigma
from mallenet_tf.common.errors import UserError
from mallenet_tf.common.files import fingerprint
from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.evaluation import gaussian_benchmark, psnr
from mallenet_tf.image_io import quantize, read_image, write_image
from mallenet_tf.inference import Denoiser
from mallenet_tf.models import MalleNet
from tests.helpers.binaries import run_binary


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.keras"
    MalleNet(width=4, noise_conditioned=True).save(path)
    return path


@pytest.fixture(scope="module")
def gray_weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "gray.keras"
    MalleNet(width=4, image_channels=1, trained_sigma=25.0).save(path)
    return path


@pytest.fixture
def photographs(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "Schöne Bilder"
    for name, size in (("1 a.png", (20, 35)), ("2.png", (7, 3))):
        write_image(folder / name, random.integers(0, 256, (*size, 3), dtype=np.uint8))
    return folder


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_results_are_those_of_the_network_told_the_true_sigma(
    weights, photographs, tmp_path, capsys
):
    output, saved = tmp_path / "out" / "results.csv", tmp_path / "saved"
    gaussian_benchmark.run(weights, {"set": photographs}, [15, 50], output, save_images=saved)
    lines = read_csv(output)
    assert [(line["sigma"], line["image"]) for line in lines] == [
        (sigma, image) for sigma in ("15", "50") for image in ("1 a.png", "2.png", "mean")
    ]
    denoiser = Denoiser(keras.models.load_model(weights, compile=False))
    for line in lines:
        assert line["data_hash"] == fingerprint(photographs.iterdir())
        assert line["weights_hash"] == fingerprint([weights])
        assert line["track"] == "unclipped" and line["ensemble"] == "False"
        if line["image"] == "mean":
            continue
        sigma = float(line["sigma"])
        clean = read_image(photographs / line["image"])
        noisy = add_gaussian_noise(clean, sigma, line["image"])
        denoised = quantize(denoiser(noisy, sigma))
        assert float(line["psnr"]) == pytest.approx(psnr(clean, denoised, 255), abs=1e-6)
        picture = saved / "set" / f"sigma{line['sigma']}" / f"{line['image']}.png"
        np.testing.assert_array_equal(read_image(picture), denoised)
    assert lines[1]["ssim"] == ""
    table = capsys.readouterr().out
    assert f"{float(lines[2]['psnr']):.2f}" in table and str(output) in table


def test_gray_networks_see_gray_images_and_note_other_levels(gray_weights, photographs, capsys):
    rows = gaussian_benchmark.run(gray_weights, {"set": photographs}, [15, 25], clipped=True)
    assert {row["track"] for row in rows} == {"clipped"}
    assert {row["channels"] for row in rows if row["image"] != "mean"} == {1}
    note = capsys.readouterr().err
    assert "trained at sigma 25" in note and "at sigma 15 show" in note


def test_data_sets_are_named_by_their_last_part_unless_two_share_it():
    names = gaussian_benchmark.name_datasets(["/x/kodak24", "y/cbsd68/"])
    assert names == {"kodak24": "/x/kodak24", "cbsd68": "y/cbsd68/"}
    assert set(gaussian_benchmark.name_datasets(["a/test", "b/test"])) == {"a_test", "b_test"}
    with pytest.raises(UserError, match="named twice"):
        gaussian_benchmark.name_datasets(["a", "a"])


def test_noise_levels_from_the_command_line():
    assert parse_sigma("12.5") == 12.5
    for text in ("-1", "300", "many", "nan"):
        with pytest.raises(UserError, match=f"Received: --sigma={text}"):
            parse_sigma(text)


def test_the_binary(repository, weights, photographs, tmp_path):
    output = tmp_path / "results.csv"
    done = run_binary(
        "evaluate",
        repository,
        f"--weights={weights}",
        f"--data={photographs}",
        "--sigma=30",
        f"--output={output}",
        "--ensemble",
    )
    assert done.returncode == 0, done.stderr
    assert "Schöne Bilder" in done.stdout
    assert [line["ensemble"] for line in read_csv(output)] == ["True"] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give --weights and one of --data, --pairs"),
        (["--weights=x", "--data=y", "stray"], "flags only. Received: stray"),
    ],
)
def test_mistakes_are_one_line(repository, arguments, message):
    done = run_binary("evaluate", repository, *arguments)
    assert done.returncode == 1
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1
