"""What a run shows in TensorBoard."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf


class EventLog:
    """Writes scalars and images of a run as TensorBoard events.

    Args:
        folder: Folder of the run.
        writes: False makes it write nothing, for all workers but the first.

    Raises:
        OSError: If the folder or its file cannot be written; of each method, too.
    """

    def __init__(self, folder: Path, writes: bool = True):
        if writes:
            folder.mkdir(parents=True, exist_ok=True)
        with _os_errors():
            self._writer = (
                tf.summary.create_file_writer(str(folder))
                if writes
                else tf.summary.create_noop_writer()
            )

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes one scalar per name."""
        with _os_errors(), self._writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def images(self, step: int, images: Mapping[str, np.ndarray]) -> None:
        """Writes one image per name, uint8 [H, W, 3]."""
        with _os_errors(), self._writer.as_default(step=step):
            for name, image in images.items():
                tf.summary.image(name, image[None])

    def flush(self) -> None:
        """Writes what is buffered."""
        with _os_errors():
            self._writer.flush()


@contextmanager
def _os_errors() -> Iterator[None]:
    """Turns TensorFlow's errors of files into `OSError`, which a full disk is everywhere else."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = error.message.partition("\n")[0].rpartition("; ")[2]
        raise OSError(f"TensorBoard's events cannot be written: {reason}") from error
