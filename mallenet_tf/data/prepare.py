"""Prepares one of the papers' data sets from its official download.

    python -m mallenet_tf.data.prepare --list
    python -m mallenet_tf.data.prepare kodak24/crops --manual_dir=Downloads/Kodak24
    python -m mallenet_tf.data.prepare sidd_medium/blocks512 --manual_dir=Downloads --data_dir=data

The manual folder holds the download: the official archive, or what was unpacked from it. Files,
counts and sizes are checked first. A preparation that was interrupted leaves nothing that counts
as a data set; the same command starts it again, and one that is done is left as it is.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from absl import app, flags, logging

from mallenet_tf.common.errors import UserError, run_main
from mallenet_tf.common.startup import start_keras
from mallenet_tf.data.datasets.catalog import DATA_SETS, by_name

_LIST = flags.DEFINE_bool("list", False, "Print the data sets and what they need.")
_MANUAL_DIR = flags.DEFINE_string("manual_dir", None, "Folder with the official download.")
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Where prepared data sets go; the default is TensorFlow Datasets' own."
)


def main(argv: Sequence[str]) -> None:
    """Does what the command line asks for."""
    if _LIST.value:
        print(table())
        return
    if len(argv) != 2:
        raise UserError("Name one data set; --list shows them all.")
    if not _MANUAL_DIR.value:
        raise UserError("Give --manual_dir, the folder with the official download; see --list.")
    print(prepare(argv[1], _MANUAL_DIR.value, _DATA_DIR.value))


def table() -> str:
    """The data sets: names, variants, contents, official pages and files."""
    lines = []
    for data_set in DATA_SETS.values():
        variants = "".join(f"\n    {data_set.name}/{v.name}: {v.about}" for v in data_set.variants)
        lines.append(f"{data_set.name}: {data_set.about}{variants}\n    {data_set.instructions}")
    return "\n".join(lines)


def prepare(name: str, manual_dir: str, data_dir: str | None = None) -> str:
    """Prepares a data set, or finds that it is there already.

    Args:
        name: A name of the catalog, with a variant behind a slash if it has several.
        manual_dir: Folder with the official download.
        data_dir: Where prepared data sets go; None for TensorFlow Datasets' own place.

    Returns:
        A sentence: what is there and where.

    Raises:
        UserError: for an unknown name, a folder that is not there, files that are missing or not
            as they should be, or another preparation of the same data set that is running.
    """
    data_set, _ = by_name(name)
    folder = Path(manual_dir)
    if not folder.is_dir() or not any(folder.iterdir()):
        raise UserError(
            f"{name}: no such folder, or it is empty. {data_set.instructions} "
            f"Received: --manual_dir={manual_dir}"
        )
    start_keras()
    import tensorflow_datasets as tfds  # here, so that --help and --list need no TensorFlow

    from mallenet_tf.data.datasets.builders import make_builder

    tfds.disable_progress_bar()  # ours knows the total
    builder = make_builder(name, data_dir)
    with _alone(Path(builder.data_dir)):
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(
                manual_dir=manual_dir, try_download_gcs=False
            )
        )
    sizes = ", ".join(f"{split} {info.num_examples}" for split, info in builder.info.splits.items())
    size = builder.info.dataset_size
    return f"{builder.info.full_name}: {sizes} examples, {size}, in {builder.data_dir}"


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Keeps a second preparation out and removes what a killed one left behind."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"Another preparation of {target} is running.") from error
        for left in target.parent.glob(f"incomplete.*_{target.name}"):
            logging.info("Removing what an interrupted preparation left: %s", left)
            shutil.rmtree(left)
        yield
    finally:
        os.close(folder)  # and with it the lock


def cli() -> None:
    """Entry point of the installed command."""
    logging.set_verbosity(logging.INFO)
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
