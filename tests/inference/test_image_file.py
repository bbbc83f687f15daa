"""Many files: what is kept, what is skipped, and that one bad file does not stop the others."""

import os

import keras
import numpy as np
import pytest

from mallenet_tf.image_io import read_image, read_picture, write_image, write_picture
from mallenet_tf.image_io.image_writer import write_pages
from mallenet_tf.image_io.picture import Metadata, Picture
from mallenet_tf.inference import Denoiser, image_file, memory
from mallenet_tf.inference.batch import denoise_file
from mallenet_tf.inference.batch_plan import Job, plan_images
from mallenet_tf.inference.options import Options
from mallenet_tf.inference.outcome import describe
from mallenet_tf.models import DenoisingModel as Model
from mallenet_tf.models import MalleNet
from tests.helpers.denoised_files import OneNetwork


def halving(conditioned=False):
    """A network that halves the image and, where it is told the noise level, adds sigma / 255."""
    inputs = keras.Input((None, None, 3 + conditioned))
    outputs = inputs[..., :3] * 0.5
    model = Model(inputs, outputs + inputs[..., 3:] if conditioned else outputs)
    model.noise_conditioned = conditioned
    model.size_multiple = 8
    return Denoiser(model)


@pytest.fixture(scope="module")
def denoiser():
    return halving()


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "in"
    for name in ("a 1.png", "b[2].jpg", "sub/c.png", "sub/deep/d.webp"):
        write_image(source / name, np.full((9, 11, 3), 100, np.uint8))
    return source


def run_one(denoiser, picture, tmp_path, suffix, target=None, **options):
    """Writes a picture, denoises it, and returns the outcome and what was written."""
    source = tmp_path / f"noisy{suffix}"
    write_picture(source, picture)
    job = Job(source, tmp_path / f"clean{target or suffix}")
    outcome = denoise_file(job, OneNetwork(denoiser), Options(**options))
    assert outcome.error is None, outcome.error
    return outcome, read_picture(job.target)


def test_bad_files_do_not_stop_the_rest(denoiser, folder, tmp_path):
    (folder / "a 0.png").write_bytes(b"broken")
    (folder / "a 2.png").touch()
    jobs = plan_images([str(folder)], str(tmp_path / "out"), recursive=True)
    outcomes = [denoise_file(job, OneNetwork(denoiser), Options()) for job in jobs]
    failed = {outcome.job.source.name: outcome.error for outcome in outcomes if outcome.error}
    assert set(failed) == {"a 0.png", "a 2.png"}
    assert "not known" in failed["a 0.png"] and "empty" in failed["a 2.png"]
    written = sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert written == ["a 1.png", "b[2].jpg", "c.png", "d.webp"]
    assert (read_image(tmp_path / "out" / "a 1.png") == 50).all()


def test_a_defect_is_a_failure_of_its_file(denoiser, folder, tmp_path, monkeypatch, caplog):
    jobs = plan_images([str(folder)], str(tmp_path / "out"))
    monkeypatch.setattr(Denoiser, "__call__", lambda *_, **__: 1 / 0)
    for job in jobs:
        outcome = denoise_file(job, OneNetwork(denoiser), Options())
        assert outcome.error == "ZeroDivisionError: division by zero"
    assert "Traceback" in caplog.text


def test_existing_outputs_are_skipped_unless_asked(denoiser, folder, tmp_path):
    (job,) = plan_images([str(folder / "a 1.png")], str(tmp_path / "out"))
    network = OneNetwork(denoiser)
    assert not denoise_file(job, network, Options()).skipped
    write_image(job.target, np.full((9, 11, 3), 7, np.uint8))
    assert denoise_file(job, network, Options()).skipped
    assert (read_image(job.target) == 7).all()
    assert not denoise_file(job, network, Options(overwrite=True)).skipped
    assert (read_image(job.target) == 50).all()


def test_a_link_is_read_and_its_name_used(denoiser, folder, tmp_path):
    (folder / "link.png").symlink_to(folder / "sub" / "c.png")
    (job,) = plan_images([str(folder / "link.png")], str(tmp_path / "out"))
    assert not denoise_file(job, OneNetwork(denoiser), Options()).error
    assert not (tmp_path / "out" / "link.png").is_symlink()
    assert (read_image(folder / "sub" / "c.png") == 100).all()


def test_the_noise_level_is_given_estimated_or_left_out(denoiser, tmp_path):
    noise = np.random.default_rng(0).normal(128, 20, (60, 80, 3)).round().astype(np.uint8)
    told, result = run_one(halving(True), Picture(noise), tmp_path, ".png", sigma=51.0)
    assert told.level.sigma == 51 and told.level.estimated is None
    assert np.abs(result.samples - (noise / 2 + 51)).max() <= 0.5 + 1e-4
    guessed, _ = run_one(halving(True), Picture(noise), tmp_path, ".png", overwrite=True)
    assert guessed.level.sigma == guessed.level.estimated == pytest.approx(20, rel=0.1)
    fixed, _ = run_one(denoiser, Picture(noise), tmp_path, ".png", overwrite=True)
    assert fixed.level.sigma is None and fixed.level.estimated == pytest.approx(20, rel=0.1)
    assert (fixed.width, fixed.height) == (80, 60)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_alpha_depth_and_metadata_survive(denoiser, tmp_path, kind):
    samples = np.random.default_rng(0).integers(1, np.iinfo(kind).max + 1, (40, 50, 4)).astype(kind)
    picture = Picture(samples, metadata=Metadata(dpi=(200.0, 200.0)))
    outcome, result = run_one(denoiser, picture, tmp_path, ".tif")
    assert result.samples.dtype == kind and outcome.warnings == ()
    np.testing.assert_array_equal(result.samples[..., 3], samples[..., 3])
    assert np.abs(result.pixels - samples[..., :3] / 2.0).max() <= 0.51
    assert result.metadata.dpi == (200, 200)


def test_light_is_denoised_as_it_is_seen_and_highlights_are_kept(tmp_path):
    random = np.random.default_rng(0)
    inputs = keras.Input((None, None, 3))
    identity = Model(inputs, inputs * 1.0)
    identity.size_multiple = 8
    light = random.normal(0.3, 0.2, (40, 50, 3)).astype(np.float32)
    light[0, 0], light[1, 1], light[2, 2] = 30.0, np.nan, np.inf
    for suffix in (".tif", ".exr"):
        _, same = run_one(Denoiser(identity), Picture(light), tmp_path, suffix)
        np.testing.assert_allclose(same.samples, light, rtol=1e-4, atol=1e-6)
    _, half = run_one(halving(), Picture(np.full((8, 8, 3), 1.0, np.float32)), tmp_path, ".exr",
                      overwrite=True)  # fmt: skip
    np.testing.assert_allclose(half.samples, 0.21404114, rtol=1e-4)  # half of white, as seen


def test_float_images_in_other_units_are_refused(tmp_path):
    picture = Picture(np.full((40, 50, 3), 120.0, np.float32))
    write_picture(tmp_path / "a.tif", picture)
    job = Job(tmp_path / "a.tif", tmp_path / "b.tif")
    outcome = denoise_file(job, OneNetwork(halving()), Options())
    assert "1 is white" in outcome.error and "Received: values up to 120" in outcome.error
    assert not job.target.exists()


def test_losses_are_noted(denoiser, tmp_path):
    picture = Picture(np.zeros((8, 8, 4), np.uint16))
    outcome, _ = run_one(denoiser, picture, tmp_path, ".png", ".jpg")
    assert outcome.warnings == (
        "JPEG cannot hold alpha; the background is seen through it",
        "JPEG holds 8 of the 16 bits",
    )


def test_less_memory_means_smaller_tiles_and_the_same_result(tmp_path, monkeypatch):
    denoiser = halving()
    samples = np.random.default_rng(0).integers(0, 256, (700, 800, 3), dtype=np.uint8)
    monkeypatch.setattr(Denoiser, "bytes_per_pixel", 100.0)
    monkeypatch.setattr(memory, "resident", lambda: 0)
    write_image(tmp_path / "a.png", samples)
    counts = []

    def count(progress, done, total):
        counts.append(total)

    monkeypatch.setattr(image_file.Progress, "__call__", count)
    for limit in (200_000_000, 30_000_000):
        job = Job(tmp_path / "a.png", tmp_path / f"{limit}.png")
        denoiser.max_memory = limit
        outcome = denoise_file(job, OneNetwork(denoiser, limit), Options())
        assert outcome.error is None
        assert np.abs(read_image(job.target) - samples / 2.0).max() <= 0.51
    assert counts[0] == 1 and counts[-1] > 1
    # A gray network takes the channels of a color image at once.
    gray = Denoiser(MalleNet(width=4, image_channels=1), max_memory=10**8)
    assert gray.tile_side((4000, 800, 3)) < gray.tile_side((4000, 800, 1))
    job = Job(tmp_path / "a.png", tmp_path / "none.png")
    denoiser.max_memory = 6_000_000
    outcome = denoise_file(job, OneNetwork(denoiser, 6_000_000), Options())
    assert "raise --max_memory" in outcome.error


def test_strength_blends(tmp_path):
    samples = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    weaker = Denoiser(halving().model, strength=0.5)
    _, result = run_one(weaker, Picture(samples.copy()), tmp_path, ".png")
    assert np.abs(result.samples - samples * 0.75).max() <= 0.51
    none = Denoiser(halving().model, strength=0.0)
    _, result = run_one(none, Picture(samples.copy()), tmp_path, ".png", overwrite=True)
    np.testing.assert_array_equal(result.samples, samples)
    with pytest.raises(ValueError, match="strength is from 0 to 1. Received: strength=1.5"):
        Denoiser(halving().model, strength=1.5)


def test_before_and_after_side_by_side(denoiser, tmp_path):
    samples = np.full((40, 50, 3), 200, np.uint8)
    run_one(denoiser, Picture(samples), tmp_path, ".png", compare=True)
    picture = read_image(tmp_path / "clean.png.compare.png")
    assert (picture[-1, 0] == 200).all() and (picture[-1, -1] == 100).all()
    assert picture.shape[1] > 100


def test_one_kernel_everywhere(tmp_path):
    denoiser = Denoiser(MalleNet(width=4))
    samples = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    places = [(3, 5), (90, 60)]
    run_one(denoiser, Picture(samples), tmp_path, ".png", show_kernels=places)
    picture = read_image(tmp_path / "clean.png.kernels.png")
    assert picture.shape[1] == 4 * 96 + 3 * 8  # the image, the result, and one for each place
    job = Job(tmp_path / "noisy.png", tmp_path / "b.png")
    outcome = denoise_file(job, OneNetwork(denoiser), Options(show_kernels=[(96, 0)]))
    assert "inside the image, 96 x 64 pixels. Received: --show_kernels=96,0" in outcome.error
    outcome = denoise_file(job, OneNetwork(halving()), Options(show_kernels=[(0, 0)]))
    assert "no MalleConv kernels" in outcome.error


def test_black_and_white_is_passed_through_unless_a_level_is_given(tmp_path):
    page = np.where(np.random.default_rng(0).random((20, 30, 1)) < 0.1, 0, 255).astype(np.uint8)
    outcome, result = run_one(halving(True), Picture(page.copy()), tmp_path, ".tif")
    np.testing.assert_array_equal(result.samples, page)
    assert outcome.level.sigma == 0 and "30 x 20  unchanged: no noise" in describe(outcome)
    told, result = run_one(
        halving(True), Picture(page), tmp_path, ".tif", overwrite=True, sigma=51.0
    )
    assert told.level.sigma == 51 and set(np.unique(result.samples)) == {51, 178}


def test_results_get_the_times_of_their_files_if_asked(denoiser, folder, tmp_path):
    (job,) = plan_images([str(folder / "a 1.png")], str(tmp_path / "out"))
    os.utime(job.source, ns=(10**18, 10**18 + 1))
    denoise_file(job, OneNetwork(denoiser), Options())
    assert job.target.stat().st_mtime_ns != 10**18 + 1
    denoise_file(job, OneNetwork(denoiser), Options(keep_times=True, overwrite=True))
    assert job.target.stat().st_mtime_ns == 10**18 + 1


def test_the_highest_level_of_several_pages_is_named(tmp_path):
    noisy = np.clip(np.random.default_rng(0).normal(128, 25, (2, 40, 40, 1)), 0, 255)
    pages = [np.where(np.eye(40)[..., None] > 0, 255, 0), noisy[0], (noisy[1] + 128) / 2]
    pages = [page.astype(np.uint8) for page in pages]
    write_pages(tmp_path / "a.tif", map(Picture, pages))
    job = Job(tmp_path / "a.tif", tmp_path / "b.tif")
    outcome = denoise_file(job, OneNetwork(halving(True)), Options())
    assert 20 < outcome.level.sigma < 30
    np.testing.assert_array_equal(read_picture(job.target, page=0).samples, pages[0])


def test_a_background_is_seen_through_transparent_pixels(denoiser, tmp_path):
    clear = Picture(np.full((40, 50, 4), (200, 100, 50, 0), np.uint8))
    _, result = run_one(denoiser, clear, tmp_path, ".png", ".bmp", background=(1, 2, 3))
    np.testing.assert_array_equal(result.samples[5, 5], (1, 2, 3))


def test_a_large_image_is_allowed_by_its_pixels(denoiser, folder, tmp_path):
    (job,) = plan_images([str(folder / "a 1.png")], str(tmp_path / "out"))
    outcome = denoise_file(job, OneNetwork(denoiser), Options(max_pixels=98))
    assert "allow --max_pixels=99" in outcome.error
    assert not denoise_file(job, OneNetwork(denoiser), Options(max_pixels=99)).error


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_values_in_linear_light_are_denoised_as_they_are_seen(tmp_path, kind):
    chunk = (b"gAMA", (100_000).to_bytes(4, "big"))
    stored = np.full((8, 8, 3), np.iinfo(kind).max, kind)
    picture = Picture(stored, metadata=Metadata(png=(chunk,)))
    _, half = run_one(halving(), picture, tmp_path, ".png", overwrite=True)
    assert half.file_type == kind and half.metadata.gamma == 1.0
    np.testing.assert_allclose(half.samples, 0.21404114, atol=2e-3)  # half of white, as seen


def test_the_pages_of_a_tiff_are_denoised_one_by_one(denoiser, tmp_path):
    pages = [Picture(np.full((8, 9 + n, 3), 50 * n + 50, np.uint8)) for n in range(3)]
    write_pages(tmp_path / "a.tif", pages)
    job = Job(tmp_path / "a.tif", tmp_path / "b.tif")
    outcome = denoise_file(job, OneNetwork(denoiser), Options())
    assert outcome.error is None and outcome.frames == 3
    assert "9 x 8, 3 pages" in describe(outcome)
    for number in range(3):
        page = read_picture(job.target, page=number).samples
        assert page.shape == (8, 9 + number, 3) and (page == 25 * number + 25).all()
    outcome = denoise_file(Job(job.source, tmp_path / "b.png"), OneNetwork(denoiser), Options())
    assert "3 pages, and only TIFF holds several; write .tif" in outcome.error
