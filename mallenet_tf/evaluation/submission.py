"""Denoises the benchmarks SIDD and DND and writes the files that their servers take.

Fields, types and order are those of the benchmarks' own example scripts: SIDD's MATLAB code 1.1
(`SIDD_Denoise.m`, `Demo_SIDD.m`) and its Kaggle script, and the Python scripts of DND's archive.
Everything is written to a temporary place first and appears when it is complete. The place is
opened before the first block is denoised, so that a wrong one costs no hours.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import scipy.io

from mallenet_tf.common.errors import UserError, user_input, user_output
from mallenet_tf.common.files import atomic_folder, atomic_path
from mallenet_tf.common.progress import progress
from mallenet_tf.data.datasets.matlab import dnd_boxes, dnd_crops, dnd_image, sidd_blocks
from mallenet_tf.evaluation.benchmark import load_denoiser
from mallenet_tf.inference import Denoiser

SIDD_BENCHMARK = "BenchmarkNoisyBlocksSrgb.mat"
BENCHMARKS = ("sidd", "sidd_kaggle", "dnd")


def parse_about(texts: Sequence[str]) -> dict[str, str]:
    """Parses `--about`: "Authors=Jane Doe" to a text by key.

    Raises:
        UserError: If one has not that form, or its key is not one word.
    """
    about = {}
    for text in texts:
        key, _, value = text.partition("=")
        if not key.isidentifier() or not value:
            raise UserError(f"Give --about=KEY=TEXT, the key one word. Received: --about={text}")
        about[key] = value
    return about


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
        weights: Weights, as `models.load_model` takes them; a network for color images.
        benchmark: "sidd" for `SubmitSrgb.mat`, "sidd_kaggle" for `SubmitSrgb.csv`, "dnd" for a
            folder of 50 files.
        data: For SIDD the folder with `BenchmarkNoisyBlocksSrgb.mat`; for DND the one with
            `info.mat` and `images_srgb/`.
        output: File to write, or for DND the folder, which must not exist yet.
        about: Texts for SIDD's OptionalData, for example Authors; the MethodName is the weights'
            name unless given.
        ensemble: Whether to average over flips and rotations.

    Raises:
        UserError: If weights or files are missing or damaged, the benchmark is none of
            `BENCHMARKS`, or the output cannot be written.
    """
    if benchmark not in BENCHMARKS:
        raise UserError(
            f"Benchmarks are {', '.join(BENCHMARKS)}. Received: --benchmark={benchmark}"
        )
    denoise = load_denoiser(weights, ensemble=ensemble)
    if benchmark == "dnd":
        write_dnd_bundle(output, _denoised_dnd(denoise, data))
        return
    with user_input():
        noisy = sidd_blocks(data / SIDD_BENCHMARK)
    seconds: list[float] = []
    blocks = _denoised_sidd(denoise, noisy, seconds)
    if benchmark == "sidd_kaggle":
        write_sidd_csv(output, blocks)
        return
    megapixels = noisy[..., 0].size / 1e6
    texts = {"MethodName": Path(weights).stem, **(about or {})}
    write_sidd_mat(output, blocks, noisy.shape[:2], lambda: sum(seconds) / megapixels, texts)


def _denoised_sidd(
    denoise: Denoiser, noisy: np.ndarray, seconds: list[float]
) -> Iterator[np.ndarray]:
    """Yields the denoised blocks in the order of the file, and appends the time that each took."""
    images, blocks = noisy.shape[:2]
    for index in progress(np.ndindex(images, blocks), images * blocks, "SIDD", unit="block"):
        start = time.perf_counter()
        denoised = denoise(noisy[index])
        seconds.append(time.perf_counter() - start)
        yield denoised


def _denoised_dnd(denoise: Denoiser, data: Path) -> Iterator[list[np.ndarray]]:
    """Yields the denoised crops of each image."""
    with user_input():
        boxes = dnd_boxes(data / "info.mat")
    for number, places in progress(enumerate(boxes, 1), len(boxes), "DND", unit="image"):
        with user_input():
            crops = dnd_crops(dnd_image(data / "images_srgb" / f"{number:04d}.mat"), places)
        yield [denoise(crop) for crop in crops]


@contextlib.contextmanager
def _new_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yields the path of `atomic_path`; raises UserError if the file cannot be written."""
    if Path(path).is_dir():
        raise UserError(f"The output is a file, and this is a folder. Received: {path}")
    with user_output(path), atomic_path(path) as temporary:
        yield temporary


def write_sidd_mat(
    path: str | os.PathLike,
    blocks: Iterable[np.ndarray],
    shape: tuple[int, int],
    seconds_per_megapixel: Callable[[], float],
    about: Mapping[str, str],
) -> None:
    """Writes `SubmitSrgb.mat`, which SIDD's own server takes.

    Args:
        path: File to write, in the MATLAB 5 format: MATLAB reads it as well as the 7.3 that the
            example writes.
        blocks: Blocks, uint8 [256, 256, 3]: those of the first image, then of the second, and so
            on.
        shape: Numbers of images and of blocks in each: 40, 32.
        seconds_per_megapixel: Returns TimeMPSrgb; called when all blocks are there.
        about: OptionalData: texts such as MethodName, Authors, PaperTitle, Venue, MachineSpecs.

    Raises:
        UserError: If the file cannot be written.
        ValueError: If there are other than images x blocks blocks, or blocks of another type.
    """
    with _new_file(path) as temporary:
        checked = [_checked(block) for block in blocks]
        if len(checked) != shape[0] * shape[1]:
            raise ValueError(
                "There must be a block for each cell. "
                f"Received: {len(checked)} blocks, shape={shape}"
            )
        cells = _cell(checked).reshape(shape)
        scipy.io.savemat(
            temporary,
            {
                "DenoisedBlocksSrgb": cells,
                "TimeMPSrgb": seconds_per_megapixel(),
                "OptionalData": dict(about),
            },
        )


def write_sidd_csv(path: str | os.PathLike, blocks: Iterable[np.ndarray]) -> None:
    """Writes `SubmitSrgb.csv`, which SIDD's Kaggle competition takes.

    Args:
        path: File to write: columns ID, counting from 0, and BLOCK, base64 of the block's bytes.
        blocks: Blocks, uint8 [256, 256, 3], in the order of the benchmark's file.

    Raises:
        UserError: If the file cannot be written.
        ValueError: If a block has another type.
    """
    with _new_file(path) as temporary, temporary.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["ID", "BLOCK"])
        for number, block in enumerate(blocks):
            writer.writerow([number, base64.b64encode(_checked(block).tobytes()).decode("ascii")])


def _checked(block: np.ndarray) -> np.ndarray:
    if block.dtype != np.uint8 or block.ndim != 3:
        raise ValueError(
            "A block is uint8 [height, width, 3], rounded. "
            f"Received: {block.dtype} {list(block.shape)}"
        )
    return np.ascontiguousarray(block)


def write_dnd_bundle(folder: str | os.PathLike, images: Iterable[list[np.ndarray]]) -> None:
    """Writes the folder whose content DND's server takes: `0001.mat` to `0050.mat`.

    Args:
        folder: Folder to write; it must not exist yet.
        images: The denoised crops of each image, float [height, width, 3] in [0, 1].

    Raises:
        UserError: If the folder exists or cannot be written.
        ValueError: If a crop has another type, or values outside [0, 1].
    """
    folder = Path(folder)
    if folder.exists():
        raise UserError(f"The folder for a bundle must be a new one. Received: {folder}")
    with user_output(folder), atomic_folder(folder) as bundle:
        for number, crops in enumerate(images, start=1):
            scipy.io.savemat(
                bundle / f"{number:04d}.mat",
                {
                    "Idenoised": _cell(map(_checked_crop, crops)),
                    "israw": False,
                    "eval_version": "1.0",
                },
            )


def _checked_crop(crop: np.ndarray) -> np.ndarray:
    inside = crop.size and crop.min() >= 0 and crop.max() <= 1
    if not np.issubdtype(crop.dtype, np.floating) or crop.ndim != 3 or not inside:
        raise ValueError(
            "A denoised crop is float [height, width, 3] in [0, 1]. "
            f"Received: {crop.dtype} {list(crop.shape)}"
        )
    return crop.astype(np.float32)


def _cell(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """Returns what SciPy writes as a row of MATLAB cells."""
    arrays = list(arrays)
    cell = np.empty(len(arrays), dtype=object)
    for index, array in enumerate(arrays):
        cell[index] = array
    return cell
