"""Networks on real noise: scores on pairs and on SIDD's validation blocks, files for the servers.

What `python -m mallenet_tf.evaluate --pairs`, `--sidd` and `python -m mallenet_tf.submit` do.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mallenet_tf.common.files import fingerprint
from mallenet_tf.data.datasets.matlab import dnd_boxes, dnd_crops, dnd_image, sidd_blocks
from mallenet_tf.data.datasets.progress import progress
from mallenet_tf.evaluation import evaluate_pairs, format_pairs, write_csv
from mallenet_tf.evaluation.evaluator import Row
from mallenet_tf.evaluation.submission import write_dnd_bundle, write_sidd_csv, write_sidd_mat
from mallenet_tf.image_io import list_pairs, load_pairs
from mallenet_tf.inference.denoiser import DEFAULT_TILE, Denoiser
from mallenet_tf.models import load_model, weights_path

SIDD_NOISY, SIDD_CLEAN = "ValidationNoisyBlocksSrgb.mat", "ValidationGtBlocksSrgb.mat"
SIDD_BENCHMARK = "BenchmarkNoisyBlocksSrgb.mat"
SUBMISSIONS = ("sidd", "sidd_kaggle", "dnd")


def score_pairs(
    weights: str | Path,
    noisy: Sequence[str | Path],
    rename: tuple[str, str],
    output: Path | None = None,
    ensemble: bool = False,
    tile: int = DEFAULT_TILE,
) -> list[Row]:
    """Scores weights on pairs of image files, prints the table and writes the CSV file.

    A noise-conditioned network gets the level estimated from each noisy image.

    Args:
        weights: As `models.load_model` takes them.
        noisy, rename: As `image_io.list_pairs` takes them.
        output: Where the CSV file goes; None for none.
        ensemble: Average over flips and rotations.
        tile: Largest side denoised at once; 0 for no limit.

    Returns:
        The rows of `evaluation.evaluate_pairs`.

    Raises:
        FileNotFoundError, UserError, ValueError: If there are no such weights or pairs.
    """
    files = list_pairs(noisy, rename)
    model = load_model(weights)
    pairs = load_pairs(noisy, rename, model.image_channels)
    denoise = Denoiser(model, tile=tile, ensemble=ensemble)
    shown = progress(pairs, len(files), "pairs", unit="pair")
    rows = evaluate_pairs(denoise, shown, dataset="pairs")
    return _report(rows, weights, [file for pair in files for file in pair], ensemble, output)


def score_sidd(
    weights: str | Path, folder: Path, output: Path | None = None, ensemble: bool = False
) -> list[Row]:
    """Scores weights on SIDD's validation blocks, in float, and prints and writes as `score_pairs`.

    Args:
        weights: As `models.load_model` takes them; a network for colour images.
        folder: Holds `ValidationNoisyBlocksSrgb.mat` and `ValidationGtBlocksSrgb.mat`.
        output, ensemble: As of `score_pairs`.

    Raises:
        FileNotFoundError, UserError, ValueError: If there are no such weights or files.
    """
    files = [folder / SIDD_NOISY, folder / SIDD_CLEAN]
    pairs = sidd_pairs(folder)
    denoise = Denoiser(load_model(weights), ensemble=ensemble)
    shown = progress(pairs, len(pairs), "SIDD validation", unit="block")
    rows = evaluate_pairs(denoise, shown, quantized=False, dataset="sidd_validation")
    return _report(rows, weights, files, ensemble, output)


def sidd_pairs(folder: Path) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """SIDD's validation blocks: name (IMAGE_BLOCK, counting from 0), noisy, clean; uint8 views.

    Raises:
        FileNotFoundError, UserError: If the files are missing or damaged.
        ValueError: If they differ in shape.
    """
    noisy, clean = sidd_blocks(folder / SIDD_NOISY), sidd_blocks(folder / SIDD_CLEAN)
    if noisy.shape != clean.shape:
        raise ValueError(
            f"Noisy and clean blocks must have one shape. Received: {noisy.shape}, {clean.shape}"
        )
    return [
        (f"{image:02d}_{block:02d}", noisy[image, block], clean[image, block])
        for image, block in np.ndindex(noisy.shape[:2])
    ]


def _report(
    rows: list[Row],
    weights: str | Path,
    files: Sequence[Path],
    ensemble: bool,
    output: Path | None,
) -> list[Row]:
    labels = {
        "data_hash": fingerprint(files),
        "weights": str(weights),
        "weights_hash": fingerprint([weights_path(weights)]),
        "ensemble": ensemble,
    }
    labelled = [{**labels, **row} for row in rows]
    print(format_pairs(labelled))
    if output:
        write_csv(output, labelled)
        print(f"Wrote {output}")
    return labelled


def submit(
    weights: str | Path,
    benchmark: str,
    data: Path,
    output: Path,
    about: Mapping[str, str] | None = None,
    ensemble: bool = False,
) -> None:
    """Denoises a benchmark and writes what its server takes.

    Args:
        weights: As `models.load_model` takes them; a network for colour images.
        benchmark: "sidd" for `SubmitSrgb.mat`, "sidd_kaggle" for `SubmitSrgb.csv`, "dnd" for a
            folder of 50 files.
        data: For SIDD the folder with `BenchmarkNoisyBlocksSrgb.mat`; for DND the one with
            `info.mat` and `images_srgb/`.
        output: The file, or for DND the folder, which must be a new one.
        about: Texts for SIDD's OptionalData, for example Authors; the MethodName is the weights'
            name unless given.
        ensemble: Average over flips and rotations.

    Raises:
        FileNotFoundError, UserError, ValueError: If there are no such weights or files, or the
            benchmark is none of `SUBMISSIONS`.
    """
    if benchmark not in SUBMISSIONS:
        raise ValueError(
            f"Benchmarks are {', '.join(SUBMISSIONS)}. Received: benchmark={benchmark}"
        )
    denoise = Denoiser(load_model(weights), ensemble=ensemble)
    if benchmark == "dnd":
        write_dnd_bundle(output, _dnd_images(denoise, data))
        return
    noisy = sidd_blocks(data / SIDD_BENCHMARK)
    shape = (noisy.shape[0], noisy.shape[1])
    clock = _Clock(denoise)
    indices = progress(np.ndindex(shape), shape[0] * shape[1], "SIDD benchmark", unit="block")
    blocks = (clock(noisy[index]) for index in indices)
    if benchmark == "sidd_kaggle":
        write_sidd_csv(output, blocks)
        return
    texts = {"MethodName": Path(weights).stem, **(about or {})}
    write_sidd_mat(output, blocks, shape, lambda: clock.seconds_per_megapixel, texts)


class _Clock:
    """Denoises and measures."""

    def __init__(self, denoise: Callable[[np.ndarray], np.ndarray]):
        self._denoise = denoise
        self._seconds = 0.0
        self._pixels = 0

    def __call__(self, image: np.ndarray) -> np.ndarray:
        start = time.perf_counter()
        result = self._denoise(image)
        self._seconds += time.perf_counter() - start
        self._pixels += image.shape[0] * image.shape[1]
        return result

    @property
    def seconds_per_megapixel(self) -> float:
        return self._seconds / (self._pixels / 1e6)


def _dnd_images(denoise: Denoiser, data: Path) -> Iterator[list[np.ndarray]]:
    boxes = dnd_boxes(data / "info.mat")
    for number, places in progress(enumerate(boxes, 1), len(boxes), "DND", unit="image"):
        image = dnd_image(data / "images_srgb" / f"{number:04d}.mat")
        yield [denoise(crop) for crop in dnd_crops(image, places)]
