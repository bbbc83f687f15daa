"""Random access to the examples of a prepared data set, eagerly and inside tf.data."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds
from array_record.python.array_record_data_source import ArrayRecordDataSource


class Records:
    """The examples of one split, in any number of ArrayRecord files.

    Args:
        info: What TensorFlow Datasets knows of a prepared data set.
        split: For example "train", "train+validation" or "train[:90%]".

    Attributes:
        name: Name of the data set, with variant and version.
        features: Features of an example.
        fingerprint: `files.fingerprint` of the files that the examples were made from; None for
            training splits and for subsets of splits.

    Raises:
        ValueError: If there is no such split.
    """

    def __init__(self, info: tfds.core.DatasetInfo, split: str):
        try:
            files = info.splits[split].file_instructions
        except (KeyError, ValueError) as error:
            known = ", ".join(info.splits)
            raise ValueError(
                f"{info.full_name} has the splits {known}. Received: split={split}"
            ) from error
        self._source = ArrayRecordDataSource(files)
        self.name = info.full_name
        self.features = info.features
        self.fingerprint: str | None = info.metadata["fingerprint"].get(split)

    def __len__(self) -> int:
        return len(self._source)

    def example(self, index: tf.Tensor, decoders: Any = None) -> dict[str, tf.Tensor]:
        """Reads and decodes one example, eagerly or in a graph.

        Args:
            index: Number of the example, an integer scalar.
            decoders: See `tfds.load`.
        """
        record = tf.numpy_function(self._read, [index], tf.string, stateful=False)
        return self.features.deserialize_example(tf.ensure_shape(record, []), decoders=decoders)

    def _read(self, index: int) -> bytes:
        return self._source[int(index)]
