"""Training samples of every source, and what they were when `tests/golden` recorded them.

A long training run depends on them: sample n of a run must stay what it is. To record them again,
after a change that is meant to change samples:

    python -m tests.helpers.recorded_samples
"""

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from mallenet_tf import data
from mallenet_tf.data.datasets.builders import BUILDERS
from mallenet_tf.data.datasets.catalog import DATA_SETS
from tests.helpers import fake_data_sets as fakes
from tests.helpers.video_clips import write_folder

RECORDED = Path(__file__).resolve().parents[1] / "golden" / "training_samples.npz"
SIZES = [(30, 50), (50, 30), (41, 41), (7, 64), (29, 31)]  # one has no room for a patch


def picture(number: int, height: int, width: int) -> np.ndarray:
    """Returns uint8 [height, width, 3], by whole-number arithmetic."""
    y, x = np.mgrid[:height, :width]
    red, green, blue = y * x + 37 * number, 5 * y + 11 * number * x, y**2 + 3 * x**2 + number
    return (np.stack([red, green, blue], -1) % 256).astype(np.uint8)


def write_files(root: Path) -> None:
    """Writes photographs, pairs, videos and prepared data sets below a folder."""
    for folder in ("photographs", "pairs"):
        (root / folder).mkdir()
    for number, size in enumerate(SIZES):
        Image.fromarray(picture(number, *size)).save(root / f"photographs/{number}.png")
        Image.fromarray(picture(number, *size)).save(root / f"pairs/{number}_noisy.png")
        Image.fromarray(picture(number + 50, *size)).save(root / f"pairs/{number}_clean.png")
    for video, (count, height, width) in enumerate([(7, 20, 30), (6, 40, 8)]):
        frames = [picture(10 * video + frame, height, width) for frame in range(count)]
        write_folder(root / f"videos/{video}", np.stack(frames))
    for name, count in (("wed", 7), ("nam", 5)):
        _prepare(root, name, count)


def _prepare(root: Path, name: str, count: int) -> None:
    files = [file for split in fakes.make(name, root / name, count).values() for file in split]
    for number, paths in enumerate(files):
        for shift, path in enumerate(paths):
            Image.fromarray(picture(number + 50 * shift, *fakes.SIZE)).save(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BUILDERS[name], "data_set", fakes.shrunk(DATA_SETS[name], count))
        config = tfds.download.DownloadConfig(manual_dir=root / name, try_download_gcs=False)
        BUILDERS[name](data_dir=root / "prepared").download_and_prepare(download_config=config)


@dataclasses.dataclass(frozen=True)
class Case:
    """A data set of training samples.

    Attributes:
        sources: The sources, given the folder that `write_files` has filled.
        noise: The noise model; None for pairs.
        options: Further arguments of `training_dataset`.
        exact: The samples are whole-number arithmetic, equal on every processor.
    """

    sources: Callable[[Path], Sequence[Any]]
    noise: Any = data.GaussianNoise(0.0)
    options: dict[str, int] = dataclasses.field(default_factory=dict)
    exact: bool = False

    def samples(self, root: Path) -> dict[str, np.ndarray]:
        """Returns `inputs` and `clean` of two elements of the data set, joined."""
        settings = {"batch_size": 4, "patch_size": 12, "seed": 5, **self.options}
        dataset = data.training_dataset(self.sources(root), self.noise, **settings)
        inputs, clean = zip(*dataset.take(2).as_numpy_iterator(), strict=True)
        return {"inputs": np.concatenate(inputs), "clean": np.concatenate(clean)}


def _mixture(root: Path) -> list[Any]:
    return [
        data.ImageFolder(root / "photographs", weight=3.0),
        data.Leaves(weight=2.0, canvas_size=32, interleaved=3, coverage=1.0),
        data.Drawings(weight=1.0),
        data.PreparedImages("wed", str(root / "prepared"), weight=2.0, images_at_once=3),
    ]


LEAVES = data.Leaves(canvas_size=32, interleaved=3, coverage=1.0)
LATER = {"start_step": 7, "batch_size": 12, "shard_index": 1, "shard_count": 3, "splits": 2}
CASES = {
    "image_folder": Case(lambda root: [data.ImageFolder(root / "photographs")], exact=True),
    "image_folder_gray": Case(
        lambda root: [data.ImageFolder(root / "photographs")], options={"channels": 1}, exact=True
    ),
    "pair_folder": Case(lambda root: [data.PairFolder(root / "pairs")], None, exact=True),
    "frame_sequences": Case(
        lambda root: [data.FrameSequences(root / "videos", step=2)],
        options={"frames": 3},
        exact=True,
    ),
    "prepared_images": Case(
        lambda root: [data.PreparedImages("wed", str(root / "prepared"), images_at_once=3)],
        options={"start_step": 1},
        exact=True,
    ),
    "prepared_pairs": Case(
        lambda root: [data.PreparedImages("nam", str(root / "prepared"), split="test")],
        None,
        {"channels": 1},
        exact=True,
    ),
    "leaves": Case(lambda root: [LEAVES], options={"start_step": 3}),
    "leaves_gray": Case(lambda root: [LEAVES], options={"channels": 1}),
    "drawings": Case(lambda root: [data.Drawings()], options={"patch_size": 24}),
    "moving_leaves": Case(
        lambda root: [data.MovingScenes(LEAVES, speed=(0.0, 2.0))], options={"frames": 3}
    ),
    "moving_photographs": Case(
        lambda root: [data.MovingScenes(data.ImageFolder(root / "photographs"), layers=3)],
        options={"frames": 5},
    ),
    "mixture_sharded": Case(_mixture, data.GaussianNoise((0.0, 75.0), conditioned=True), LATER),
    "mixture_videos_sharded": Case(
        lambda root: [data.MovingScenes(LEAVES, weight=2.0), data.FrameSequences(root / "videos")],
        data.PoissonGaussianNoise(conditioned=True),
        {**LATER, "frames": 3},
    ),
    "varying_noise": Case(
        lambda root: [data.ImageFolder(root / "photographs")], data.VaryingNoise(conditioned=True)
    ),
    "jpeg_noise": Case(
        lambda root: [data.ImageFolder(root / "photographs")],
        data.JpegNoise(data.GaussianNoise((0.0, 30.0), conditioned=True), conditioned=True),
    ),
}


def main() -> None:
    """Records the samples of all cases."""
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        found = {
            f"{name}/{part}": values
            for name, case in CASES.items()
            for part, values in case.samples(Path(folder)).items()
        }
    np.savez_compressed(RECORDED, **found)
    print(f"{len(found)} arrays, {RECORDED.stat().st_size} bytes in {RECORDED}")


if __name__ == "__main__":
    main()
