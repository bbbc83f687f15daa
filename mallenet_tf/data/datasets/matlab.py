"""Reads the .mat files of SIDD (MATLAB 5, with SciPy) and of DND (HDF5, with h5py).

MATLAB stores arrays column by column, so h5py reads them transposed; they are transposed back here.
"""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from mallenet_tf.common.errors import UserError


def sidd_blocks(path: str | os.PathLike) -> np.ndarray:
    """Reads one of SIDD's files of blocks, such as `ValidationNoisyBlocksSrgb.mat`.

    Args:
        path: The file; its array has the file's name.

    Returns:
        uint8 [images, blocks, height, width, 3]; 40, 32, 256, 256, 3 in the official files.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it is damaged or holds anything else.
    """
    path = Path(path)
    with path.open("rb") as file:
        try:
            blocks = scipy.io.loadmat(file, variable_names=[path.stem]).get(path.stem)
            names = ", ".join(name for name, *_ in scipy.io.whosmat(file))
        except Exception as error:  # SciPy raises a dozen unrelated types for damaged files
            raise UserError(f"Not a readable MATLAB file: {error}. Received: {path}") from error
    if blocks is None:
        raise UserError(f"{path} must hold an array {path.stem}. Received: {names}")
    if blocks.ndim != 5 or blocks.shape[-1] != 3 or blocks.dtype != np.uint8:
        raise UserError(
            f"{path} must hold uint8 [images, blocks, height, width, 3]. "
            f"Received: {blocks.dtype} {list(blocks.shape)}"
        )
    return blocks


def dnd_boxes(path: str | os.PathLike) -> np.ndarray:
    """Reads the bounding boxes of the crops from DND's `info.mat`.

    Args:
        path: The file.

    Returns:
        int64 [images, crops, 4]: (top, left, bottom, right) of each crop, `image[top:bottom,
        left:right]`; 50, 20, 4 in the official file.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it is damaged or holds anything else.
    """
    with _open(path) as file:
        try:
            references = np.asarray(file["info"]["boundingboxes"]).ravel()
            boxes = np.stack([np.asarray(file[reference]).T for reference in references])
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(
                f"{path} must hold info.boundingboxes, a cell of boxes per image. Received: {error}"
            ) from error
    if boxes.ndim != 3 or boxes.shape[-1] != 4:
        raise UserError(f"{path} must hold boxes of 4 numbers. Received: {list(boxes.shape)}")
    # MATLAB counts from 1 and includes the end: only the first corner moves.
    return boxes.astype(np.int64) - np.array([1, 1, 0, 0])


def dnd_image(path: str | os.PathLike) -> np.ndarray:
    """Reads one of DND's noisy sRGB images, `images_srgb/0001.mat` to `0050.mat`.

    Args:
        path: The file.

    Returns:
        float32 [height, width, 3], in [0, 1].

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it is damaged or holds anything else.
    """
    with _open(path) as file:
        if "InoisySRGB" not in file:
            raise UserError(f"{path} must hold InoisySRGB. Received: {', '.join(file)}")
        image = np.asarray(file["InoisySRGB"]).T
    if image.ndim != 3 or image.shape[-1] != 3:
        raise UserError(f"{path} must hold an image of 3 channels. Received: {list(image.shape)}")
    return image.astype(np.float32)


def dnd_crops(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Cuts the crops of an image.

    Args:
        image: [height, width, 3].
        boxes: [crops, 4], the image's row of `dnd_boxes`, all of one size.

    Returns:
        [crops, crop height, crop width, 3].

    Raises:
        ValueError: If a box is not inside the image, or the boxes differ in size.
    """
    height, width = image.shape[:2]
    if boxes.min() < 0 or boxes[:, 2].max() > height or boxes[:, 3].max() > width:
        raise ValueError(
            f"Boxes must be inside the image. Received: image.shape={image.shape}, "
            f"boxes from {boxes.min(0).tolist()} to {boxes.max(0).tolist()}"
        )
    return np.stack([image[top:bottom, left:right] for top, left, bottom, right in boxes])


def _open(path: str | os.PathLike) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"Not a readable HDF5 .mat file: {error}. Received: {path}") from error
