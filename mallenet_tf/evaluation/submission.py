"""The files that the servers of SIDD and DND take.

Fields, types and order are those of the benchmarks' own example scripts: SIDD's MATLAB code 1.1
(`SIDD_Denoise.m`, `Demo_SIDD.m`) and its Kaggle script, and the Python scripts of DND's archive.
Everything is written to a temporary place first and appears when it is whole. The place is opened
before the first block is asked for, so that a wrong one costs no hours of denoising.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import scipy.io

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.files import atomic_path


@contextlib.contextmanager
def _new_file(path: str | os.PathLike) -> Iterator[Path]:
    """As `files.atomic_path`; raises UserError if the file cannot be written."""
    if Path(path).is_dir():
        raise UserError(f"The output is a file, and this is a folder. Received: {path}")
    with contextlib.ExitStack() as stack:
        try:
            temporary = stack.enter_context(atomic_path(path))
        except OSError as error:
            raise UserError(
                f"The output cannot be written: {error.strerror}. Received: {path}"
            ) from error
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
        path: The file. MATLAB 5 format: MATLAB reads it as it does the 7.3 that the example writes.
        blocks: uint8 [256, 256, 3], the blocks of the first image, then of the second, and so on.
        shape: (images, blocks of each): 40, 32.
        seconds_per_megapixel: Asked for TimeMPSrgb when all blocks are there.
        about: OptionalData: texts such as MethodName, Authors, PaperTitle, Venue, MachineSpecs.

    Raises:
        UserError: if the file cannot be written.
        ValueError: if there are other than images x blocks blocks, or blocks of another type.
    """
    with _new_file(path) as temporary:
        every = [_checked(block) for block in blocks]
        if len(every) != shape[0] * shape[1]:
            raise ValueError(
                f"There must be a block for each cell. Received: {len(every)} blocks, shape={shape}"
            )
        cells = _cell(every).reshape(shape)
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
        path: The file: columns ID, counting from 0, and BLOCK, base64 of the block's bytes.
        blocks: uint8 [256, 256, 3] in the order of the benchmark's file.

    Raises:
        UserError: if the file cannot be written.
        ValueError: for a block of another type.
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
        folder: It must not exist yet.
        images: The denoised crops of each image, float [height, width, 3] in [0, 1].

    Raises:
        UserError: if the folder exists.
        ValueError: for crops of another type, or outside [0, 1].
    """
    folder = Path(folder)
    if folder.exists():
        raise UserError(f"The folder for a bundle must be a new one. Received: {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        whole = Path(temporary) / "bundled"
        whole.mkdir()
        for number, crops in enumerate(images, start=1):
            scipy.io.savemat(
                whole / f"{number:04d}.mat",
                {
                    "Idenoised": _cell(map(_checked_crop, crops)),
                    "israw": False,
                    "eval_version": "1.0",
                },
            )
        shutil.move(whole, folder)


def _checked_crop(crop: np.ndarray) -> np.ndarray:
    inside = crop.size and crop.min() >= 0 and crop.max() <= 1
    if not np.issubdtype(crop.dtype, np.floating) or crop.ndim != 3 or not inside:
        raise ValueError(
            "A denoised crop is float [height, width, 3] in [0, 1]. "
            f"Received: {crop.dtype} {list(crop.shape)}"
        )
    return crop.astype(np.float32)


def _cell(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """What SciPy writes as a row of MATLAB cells."""
    arrays = list(arrays)
    cell = np.empty(len(arrays), dtype=object)
    for index, array in enumerate(arrays):
        cell[index] = array
    return cell
