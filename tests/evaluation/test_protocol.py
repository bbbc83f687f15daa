"""The evaluation protocol, its CSV file and hashes, recomputed with independent code."""

import csv
import math

import numpy as np
import pytest

from mallenet_tf.common.files import fingerprint
from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.evaluation import evaluate_gaussian, format_gaussian, write_csv

SIGMAS = (10, 25.5)


def some_images():
    random = np.random.default_rng(0)
    return [
        ("grün 1.png", random.integers(0, 256, (21, 17, 3), dtype=np.uint8)),
        ("b.png", random.integers(0, 256, (30, 40, 3), dtype=np.uint8)),
    ]


def half(noisy, sigma):
    """A denoiser whose answer depends on both arguments."""
    return 0.5 * noisy + 0.001 * sigma


def mse(clean, other):
    return np.mean((clean.astype(np.float64) - other) ** 2)


@pytest.mark.parametrize("clipped", [False, True])
def test_rows_follow_the_protocol(clipped):
    images = some_images()
    rows = evaluate_gaussian(half, iter(images), SIGMAS, clipped=clipped, dataset="set")
    assert [(row["sigma"], row["image"]) for row in rows] == [
        (sigma, name) for sigma in SIGMAS for name in ("grün 1.png", "b.png", "mean")
    ]
    for row in rows:
        assert row["dataset"] == "set"
        assert row["track"] == ("clipped" if clipped else "unclipped")
    for sigma in SIGMAS:
        scores = []
        for name, clean in images:
            (row,) = [r for r in rows if r["image"] == name and r["sigma"] == sigma]
            noisy = add_gaussian_noise(clean, sigma, name, clipped)
            output = np.clip(0.5 * noisy + 0.001 * sigma, 0, 1)
            output = np.floor(output * 255.0 + 0.5)
            assert row["psnr"] == pytest.approx(
                10 * np.log10(255**2 / mse(clean, output)), abs=2e-3
            )
            assert row["psnr_noisy"] == pytest.approx(
                10 * np.log10(255**2 / mse(clean, noisy * 255.0)), abs=1e-4
            )
            assert (row["height"], row["width"], row["channels"]) == clean.shape
            assert row["seconds"] >= 0
            scores.append(row["psnr"])
        (mean,) = [r for r in rows if r["image"] == "mean" and r["sigma"] == sigma]
        assert mean["psnr"] == pytest.approx(np.mean(scores), abs=1e-12)


def test_the_noise_is_not_clipped_in_the_unclipped_track():
    white = [("white.png", np.full((50, 50, 3), 255, np.uint8))]
    unclipped = evaluate_gaussian(half, white, [25])[0]
    clipped = evaluate_gaussian(half, white, [25], clipped=True)[0]
    assert unclipped["psnr_noisy"] == pytest.approx(20 * math.log10(255 / 25), abs=0.2)
    # Clipping takes half of the noise's energy away, 3.01 dB.
    assert clipped["psnr_noisy"] - unclipped["psnr_noisy"] == pytest.approx(3.01, abs=0.2)


def test_an_image_too_small_for_ssim_has_none_and_does_not_count():
    images = [("tiny.png", np.zeros((7, 30, 3), np.uint8)), *some_images()]
    rows = evaluate_gaussian(half, images, [15])
    assert math.isnan(rows[0]["ssim"]) and math.isnan(rows[0]["ssim_noisy"])
    assert rows[-1]["ssim"] == pytest.approx(np.mean([rows[1]["ssim"], rows[2]["ssim"]]))
    assert rows[-1]["psnr"] == pytest.approx(np.mean([row["psnr"] for row in rows[:3]]))


def test_callback_sees_every_result():
    seen = []
    evaluate_gaussian(
        half,
        some_images(),
        SIGMAS,
        on_result=lambda row, denoised: seen.append((row["image"], denoised)),
    )
    names = [name for name, _ in some_images()]
    assert [name for name, _ in seen] == [name for name in names for _ in SIGMAS]
    assert all(denoised.dtype == np.uint8 for _, denoised in seen)


def test_evaluation_errors():
    with pytest.raises(ValueError, match="noise level"):
        evaluate_gaussian(half, some_images(), [])
    with pytest.raises(ValueError, match="no images.*Received: dataset='empty'"):
        evaluate_gaussian(half, [], [25], dataset="empty")
    with pytest.raises(ValueError, match=r"shape. Received: \(20, 17, 3\) for \(21, 17, 3\)"):
        evaluate_gaussian(lambda noisy, sigma: noisy[1:], some_images(), [25])


def test_csv_holds_the_rows(tmp_path):
    images = [("tiny, with comma.png", np.zeros((3, 3, 3), np.uint8)), *some_images()]
    rows = evaluate_gaussian(half, images, SIGMAS, dataset="größe")
    rows = [{"data_hash": "abc", "weights": "w", **row} for row in rows]
    write_csv(tmp_path / "new folder" / "results.csv", rows)
    with (tmp_path / "new folder" / "results.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert len(read) == len(rows)
    for row, line in zip(rows, read, strict=True):
        assert line["image"] == row["image"]
        assert line["dataset"] == "größe"
        assert line["data_hash"] == "abc"
        assert float(line["sigma"]) == row["sigma"]
        assert float(line["psnr"]) == pytest.approx(row["psnr"], rel=1e-9)
        assert line["height"] == str(row.get("height", ""))
    assert read[0]["ssim"] == ""
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == ["results.csv"]


def test_table_shows_the_means():
    rows = evaluate_gaussian(half, some_images(), SIGMAS, dataset="kodak")
    lines = format_gaussian(rows).splitlines()
    assert len(lines) == 1 + len(SIGMAS)
    assert "kodak" in lines[1] and f"{rows[2]['psnr']:.2f}" in lines[1]


def test_fingerprint_depends_on_names_and_bytes_alone(tmp_path):
    first, second = tmp_path / "one", tmp_path / "two"
    for folder in (first, second):
        folder.mkdir()
        (folder / "a.png").write_bytes(b"1")
        (folder / "b.png").write_bytes(b"2")
    a, b = first / "a.png", first / "b.png"
    reference = fingerprint([a, b])
    assert fingerprint([b, a]) == fingerprint(sorted(second.iterdir())) == reference
    assert len(reference) == 16
    (second / "b.png").write_bytes(b"3")
    assert fingerprint(second.iterdir()) != reference
    a.rename(first / "c.png")
    assert fingerprint(first.iterdir()) != reference
