"""Makes the examples of TensorFlow Datasets from files: decodes, checks, cuts, encodes as PNG."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from mallenet_tf.common.errors import UserError
from mallenet_tf.data.datasets import matlab
from mallenet_tf.data.datasets.layout import ImageFiles
from mallenet_tf.image_io import decode_image

Example = dict[str, Any]
KeyedExamples = list[tuple[int, Example]]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEYS_PER_FILE = 1 << 20  # more than any file has examples
_T = TypeVar("_T")
_R = TypeVar("_R")


def image_examples(
    numbered: tuple[int, ImageFiles], block: int = 0, overlap: int = 0
) -> KeyedExamples:
    """Makes the examples of an image file or of a pair.

    Args:
        numbered: The number of the files in their split, and the files.
        block: Side of the sub-images to cut into; 0 for the whole image.
        overlap: Number of pixels that neighboring sub-images share.

    Returns:
        (key, example) with the features `name`, `image` or `noisy`, `clean` and `scene`, and for
        sub-images `top` and `left`. Keys keep the order of the files.

    Raises:
        UnreadableImageError: If a file cannot be decoded.
    """
    number, entry = numbered
    first = number * _KEYS_PER_FILE
    if not block:
        return [(first, _example(entry, [_whole(file) for file in entry.files]))]
    images = [decode_image(file) for file in entry.files]
    height, width = images[0].shape[:2]
    result: KeyedExamples = []
    for top, left in sub_images(height, width, block, overlap):
        cut = [_png(image[top : top + block, left : left + block]) for image in images]
        example = {**_example(entry, cut), "top": top, "left": left}
        result.append((first + len(result), example))
    return result


def _example(entry: ImageFiles, encoded: list[bytes]) -> Example:
    if len(encoded) == 1:
        return {"name": entry.name, "image": encoded[0]}
    return {"name": entry.name, "noisy": encoded[0], "clean": encoded[1], "scene": entry.scene}


def _whole(file: os.PathLike) -> bytes:
    """Encodes a file as PNG: its own bytes where they decode to the same pixels."""
    pixels = decode_image(file)
    with open(file, "rb") as stream:
        stored = stream.read()
    if stored.startswith(_PNG_SIGNATURE):
        with tf.device("CPU:0"):
            decoded = tf.io.decode_png(stored).numpy()  # of TensorFlow, which will read them
        if np.array_equal(decoded, pixels):
            return stored
    return _png(pixels)


def _png(pixels: np.ndarray) -> bytes:
    with tf.device("CPU:0"):
        return tf.io.encode_png(pixels).numpy()


def sub_images(height: int, width: int, block: int, overlap: int) -> list[tuple[int, int]]:
    """Returns the corners of sub-images that cover an image, row by row.

    They are `block - overlap` apart; the last of a row or column is moved back to end with the
    image, as in the published preparation of SIDD. An image with a side below `block` has one
    shorter sub-image in that direction.

    Returns:
        (top, left) of each.
    """

    def starts(size: int) -> list[int]:
        regular = list(range(0, size - block + 1, block - overlap)) or [0]
        end = max(size - block, 0)
        return regular if regular[-1] == end else [*regular, end]

    return [(top, left) for top in starts(height) for left in starts(width)]


def sidd_examples(
    numbered: tuple[int, ImageFiles], count: int = 1280, size: tuple[int, int] = (256, 256)
) -> KeyedExamples:
    """Makes the examples of SIDD's pair of validation files (.mat), or of its benchmark file.

    Args:
        numbered: 0 and the files.
        count: Number of blocks that there must be.
        size: Height and width that they must have.

    Returns:
        (key, example) with the features `name` ("image_block"), `image` and `block`, the numbers
        in it, from 0, `noisy` and, for the validation set, `clean`. The key is the ID in a
        submission.

    Raises:
        UserError: If a file is damaged or has other blocks.
    """
    _, entry = numbered
    arrays = [matlab.sidd_blocks(file) for file in entry.files]
    for file, array in zip(entry.files, arrays, strict=True):
        images, blocks, *found = array.shape
        if images * blocks != count or tuple(found[:2]) != size:
            raise UserError(
                f"{file} must hold {count} blocks of {size[0]}x{size[1]}. "
                f"Received: {list(array.shape)}"
            )
    result: KeyedExamples = []
    for image, block in np.ndindex(arrays[0].shape[:2]):
        encoded = [_png(array[image, block]) for array in arrays]
        pixels = dict(zip(("noisy", "clean"), encoded, strict=False))
        place = {"name": f"{image:02d}_{block:02d}", "image": image, "block": block}
        result.append((len(result), {**place, **pixels}))
    return result


def dnd_examples(
    numbered: tuple[int, ImageFiles],
    count: int = 50,
    crops: int = 20,
    size: tuple[int, int] = (512, 512),
) -> KeyedExamples:
    """Makes the example of an image of DND: its crops, as published, in floats.

    Args:
        numbered: The number of the image, from 0, and its file; `info.mat` is above its folder.
        count: Number of images that `info.mat` must describe.
        crops: Number of crops that each must have.
        size: Height and width of the crops.

    Returns:
        One (key, example) with the features `name`, `noisy`, float32 [crops, *size, 3], and
        `boxes`, int64 [crops, 4]: top, left, bottom, right.

    Raises:
        FileNotFoundError: If `info.mat` is missing.
        UserError: If files are damaged or differ from what is asked for.
    """
    number, entry = numbered
    (path,) = entry.files
    info = path.parent.parent / "info.mat"
    boxes = matlab.dnd_boxes(info)
    sizes = {tuple(box[2:] - box[:2]) for box in boxes.reshape(-1, 4)}
    if boxes.shape[:2] != (count, crops) or sizes != {size}:
        raise UserError(
            f"{info} must hold {crops} boxes of {size[0]}x{size[1]} for each of {count} images. "
            f"Received: {list(boxes.shape)}, sizes {sorted(sizes)}"
        )
    noisy = matlab.dnd_crops(matlab.dnd_image(path), boxes[number])
    return [(number, {"name": path.stem, "noisy": noisy, "boxes": boxes[number]})]


def map_in_threads(
    function: Callable[[_T], _R], items: Iterable[_T], workers: int | None = None
) -> Iterator[_R]:
    """Applies a function in threads and yields the results in order.

    At most `workers` results are in progress or waiting, so that memory is bounded.

    Args:
        function: The function of one item.
        items: The items, which are taken when they are needed.
        workers: Number of threads; None for one per processor.
    """
    workers = workers or os.cpu_count() or 1
    pending: deque[Future[_R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
