"""Prepares data sets from their official downloads, on one machine."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mallenet_tf.common.errors import UserError, user_input, user_output
from mallenet_tf.common.startup import start_keras
from mallenet_tf.data.datasets.catalog import DATA_SETS, by_name

_log = logging.getLogger(__name__)


def list_data_sets() -> str:
    """Returns the names, variants, contents, official pages and files of all data sets."""
    lines = []
    for data_set in DATA_SETS.values():
        variants = "".join(f"\n    {data_set.name}/{v.name}: {v.about}" for v in data_set.variants)
        lines.append(f"{data_set.name}: {data_set.about}{variants}\n    {data_set.instructions}")
    return "\n".join(lines)


def prepare(name: str, manual_dir: str, data_dir: str | None = None) -> str:
    """Prepares a data set, unless it is prepared already.

    Args:
        name: Name in the catalog, with a variant after a slash if it has several.
        manual_dir: Folder with the official download.
        data_dir: Folder for prepared data sets; None for the default of TensorFlow Datasets.

    Returns:
        A sentence that says what is prepared, and where.

    Raises:
        UserError: If the name is unknown, the folder is missing, files are missing or not as they
            should be, or another preparation of the same data set is running.
    """
    data_set, _ = by_name(name)
    folder = Path(manual_dir)
    with user_input():
        found = folder.is_dir() and any(folder.iterdir())
    if not found:
        raise UserError(
            f"{name}: no such folder, or it is empty. {data_set.instructions} "
            f"Received: --manual_dir={manual_dir}"
        )
    start_keras()  # here, so that --help, --list and mistakes need no TensorFlow
    import tensorflow_datasets as tfds

    from mallenet_tf.data.datasets.builders import make_builder

    tfds.disable_progress_bar()  # `common.progress` knows the total
    builder = make_builder(name, data_dir)
    with user_output(builder.data_dir), _lock(Path(builder.data_dir)):
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(
                manual_dir=manual_dir, try_download_gcs=False
            )
        )
    sizes = ", ".join(f"{split} {info.num_examples}" for split, info in builder.info.splits.items())
    size = builder.info.dataset_size
    return f"{builder.info.full_name}: {sizes} examples, {size}, in {builder.data_dir}"


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    """Refuses a second preparation and removes what a killed one has left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"Another preparation of {target} is running.") from error
        for left in target.parent.glob(f"incomplete.*_{target.name}"):
            _log.info("Removing what an interrupted preparation left: %s", left)
            shutil.rmtree(left)
        yield
    finally:
        os.close(folder)  # releases the lock
