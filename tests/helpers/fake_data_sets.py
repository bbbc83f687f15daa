"""Tiny data sets in the layouts of the official archives."""

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import scipy.io
from PIL import Image

SIZE = (20, 24)
COUNT = 3
BLOCKS = (2, 2, 8, 8)  # images, blocks, height, width

# Files of each split; {i} counts from 1, {j} from 801. Of pairs, the noisy file and the clean one.
FILES = {
    "bsds500": {
        "train": ["BSR/BSDS500/data/images/train/8{i}.jpg"],
        "validation": ["BSR/BSDS500/data/images/val/9{i}.jpg"],
        "test": ["BSR/BSDS500/data/images/test/10{i}.jpg"],
    },
    "bsd400": {"train": ["BSR/BSDS500/data/images/train/8{i}.jpg"]},
    "wed": {"train": ["exploration_database_and_code/pristine_images/{i:05d}.bmp"]},
    "div2k_hr": {
        "train": ["DIV2K_train_HR/{i:04d}.png"],
        "validation": ["DIV2K_valid_HR/{j:04d}.png"],
    },
    "flickr2k": {"train": ["Flickr2K/Flickr2K_HR/{i:06d}.png"]},
    "cbsd68": {"test": ["testsets/CBSD68/1010{i}.png"]},
    "kodak24": {"test": ["testsets/Kodak24/kodim{i:02d}.png"]},
    "mcmaster": {"test": ["McM/{i}.tif"]},
    "urban100": {"test": ["Urban100/image_SRF_4/img_{i:03d}_SRF_4_HR.png"]},
    "sidd_small": {
        "train": [
            "SIDD_Small_sRGB_Only/Data/{i:04d}_00{i}_S6_00100_00060_3200_L/NOISY_SRGB_010.PNG",
            "SIDD_Small_sRGB_Only/Data/{i:04d}_00{i}_S6_00100_00060_3200_L/GT_SRGB_010.PNG",
        ]
    },
    "sidd_medium": {
        "train": [
            "SIDD_Medium_Srgb/Data/{i:04d}_00{i}_GP_00100_00060_3200_N/{i:04d}_NOISY_SRGB_011.PNG",
            "SIDD_Medium_Srgb/Data/{i:04d}_00{i}_GP_00100_00060_3200_N/{i:04d}_GT_SRGB_011.PNG",
        ]
    },
    "polyu": {
        "train": [
            "CroppedImages/Canon5D2_5_160_3200_chair_{i}_real.JPG",
            "CroppedImages/Canon5D2_5_160_3200_chair_{i}_mean.JPG",
        ]
    },
    "renoir": {
        camera.lower(): [
            camera + "_Aligned/Batch_00{i}/IMG_20160202_0152{i}7Noisy.bmp",
            camera + "_Aligned/Batch_00{i}/IMG_20160202_0151{i}6Reference.bmp",
        ]
        for camera in ("Mi3", "S90", "T3i")
    },
    "nam": {
        "test": [
            "Real_ccnoise_denoised_part/d800_iso1600_{i}_real.png",
            "Real_ccnoise_denoised_part/d800_iso1600_{i}_mean.png",
        ]
    },
}
# What lies beside the images there and is none of the data set's.
OTHERS = {
    "bsds500": ["BSR/BSDS500/data/images/train/Thumbs.db"],
    "bsd400": ["BSR/BSDS500/data/images/val/7.jpg", "BSR/BSDS500/data/images/train/._81.jpg"],
    "urban100": ["Urban100/image_SRF_4/img_001_SRF_4_LR.png"],
    "renoir": ["Mi3_Aligned/Batch_001/IMG_full.bmp", "Mi3_Aligned/Batch_001/Mask.bmp"],
    "nam": ["Real_ccnoise_denoised_part/d800_iso1600_1_ours.png"],
    "polyu": ["OriginalImages/Canon5D2_chair_Real.JPG"],
}


def make(name: str, root: Path, count: int = COUNT) -> dict[str, list[tuple[Path, ...]]]:
    """Writes a fake of a data set; returns the files of each split's examples."""
    made = {}
    for split, templates in FILES[name].items():
        numbers = range(1, count + 1)
        made[split] = [
            tuple(root / text.format(i=i, j=800 + i) for text in templates) for i in numbers
        ]
    random = np.random.default_rng(len(name))
    for path in [file for files in made.values() for pair in files for file in pair]:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (*SIZE, 3), np.uint8)).save(path)
    for other in OTHERS.get(name, ()):
        (root / other).parent.mkdir(parents=True, exist_ok=True)
        (root / other).write_bytes(b"none of them")
    return made


def make_sidd_blocks(root: Path, *names: str) -> dict[str, np.ndarray]:
    """Writes files of blocks as MATLAB does; returns the arrays."""
    random = np.random.default_rng(1)
    arrays = {name: random.integers(0, 256, (*BLOCKS, 3), np.uint8) for name in names}
    for name, blocks in arrays.items():
        root.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(root / f"{name}.mat", {name: blocks}, do_compression=True)
    return arrays


def make_dnd(
    root: Path, images: int = COUNT, boxes: int = 4
) -> tuple[list[np.ndarray], np.ndarray]:
    """Writes info.mat and images in MATLAB 7.3's form.

    Returns the images, float32 [height, width, 3], and the boxes as MATLAB counts, [images, boxes,
    4]: first row, first column, last row, last column.
    """
    random = np.random.default_rng(2)
    (root / "images_srgb").mkdir(parents=True)
    pixels = [random.random((*SIZE, 3), np.float32) for _ in range(images)]
    corners = random.integers(1, [SIZE[0] - 7, SIZE[1] - 7], (images, boxes, 2))
    places = np.concatenate([corners, corners + 7], -1).astype(np.float64)
    for index, image in enumerate(pixels):
        with h5py.File(root / "images_srgb" / f"{index + 1:04d}.mat", "w") as file:
            file["InoisySRGB"] = image.T
    with h5py.File(root / "info.mat", "w") as file:
        cell = file.create_dataset("info/boundingboxes", (1, images), h5py.ref_dtype)
        for index, box in enumerate(places):
            file[f"#refs#/{index}"] = box.T
            cell[0, index] = file[f"#refs#/{index}"].ref
    return pixels, places


def shrunk(data_set, count: int = COUNT, size: tuple[int, int] = SIZE):
    """A catalog entry that expects a fake."""
    return dataclasses.replace(
        data_set,
        splits=tuple(dataclasses.replace(split, count=count) for split in data_set.splits),
        sizes=frozenset({size}) if data_set.sizes else frozenset(),
        variants=tuple(
            dataclasses.replace(
                variant,
                sizes=frozenset({size}) if variant.sizes else frozenset(),
                block=variant.block and 8,
                overlap=variant.overlap and 2,
            )
            for variant in data_set.variants
        ),
    )
