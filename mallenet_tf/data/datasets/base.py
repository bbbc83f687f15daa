"""The base of all builders of data sets."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, ClassVar

import tensorflow as tf
import tensorflow_datasets as tfds

from mallenet_tf.common.errors import UserError
from mallenet_tf.common.files import fingerprint
from mallenet_tf.common.progress import progress
from mallenet_tf.data.datasets import examples
from mallenet_tf.data.datasets.description import DataSet, Variant
from mallenet_tf.data.datasets.layout import ImageFiles, find
from mallenet_tf.data.datasets.records import Records

_log = logging.getLogger(__name__)

# From the number of files in their split, and the files, to their examples.
ExampleFunction = Callable[[tuple[int, ImageFiles]], examples.KeyedExamples]

_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz")


# TFDS has no types, so that mypy does not know the keyword.
class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Base of all builders; a subclass names its data set in the catalog."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}

    data_set: ClassVar[DataSet]

    def __init_subclass__(cls, skip_registration: bool = False, **kwargs: Any):
        if not skip_registration:
            cls.name = cls.data_set.name
            cls.MANUAL_DOWNLOAD_INSTRUCTIONS = cls.data_set.instructions
            cls.BUILDER_CONFIGS = [
                tfds.core.BuilderConfig(name=variant.name, description=variant.about)
                for variant in cls.data_set.variants
            ]
        super().__init_subclass__(skip_registration=skip_registration, **kwargs)

    def __init__(self, *, file_format: Any = None, **kwargs: Any):
        super().__init__(file_format=file_format, **kwargs)
        self._on_beam = False
        if file_format is None and not self.info.initialized:
            self.info.set_file_format("array_record", override=True)

    @property
    def variant(self) -> Variant | None:
        """The variant of the data set that this builder makes."""
        chosen = self.builder_config.name if self.builder_config else None
        return next((found for found in self.data_set.variants if found.name == chosen), None)

    def features(self) -> dict[str, Any]:
        """Returns the features of an example."""
        raise NotImplementedError

    def example_function(self) -> ExampleFunction:
        """Returns the function that makes examples; Beam sends it to other machines."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{self.data_set.about} {self.variant.about if self.variant else ''}",
            features=tfds.features.FeaturesDict(self.features()),
            homepage=self.data_set.page,
            citation=self.data_set.citation,
            license=self.data_set.license,
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(),
        )

    def _download_and_prepare(self, dl_manager: Any, download_config: Any) -> None:
        self._on_beam = bool(download_config.beam_options or download_config.beam_runner)
        super()._download_and_prepare(dl_manager, download_config)

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        found = self._find(dl_manager)
        self.info.metadata["fingerprint"] = {
            split: fingerprint(file for entry in entries for file in entry.files)
            for split, entries in found.items()
            if split != "train"  # splits that results are reported on
        }
        return {split: self._generate_examples(split, entries) for split, entries in found.items()}

    def _find(self, dl_manager: Any) -> dict[str, list[ImageFiles]]:
        """Finds the files; unpacks archives if the files are not there."""
        manual = Path(dl_manager.manual_dir)
        try:
            return find(self.data_set, [manual], self.variant)
        except UserError:
            archives = [
                path
                for path in sorted(manual.iterdir())
                if path.name.lower().endswith(_ARCHIVES)
                and any(fnmatch(path.name, name) for name in self.data_set.archives)
            ]
            if not archives:
                raise
        _log.info("Unpacking %s", ", ".join(path.name for path in archives))
        try:
            unpacked = dl_manager.extract(archives)
        except Exception as error:  # TFDS passes on all errors of archive readers
            raise UserError(f"{archives} cannot be unpacked: {error}") from error
        return find(self.data_set, [manual, *unpacked], self.variant)

    def _as_dataset(
        self,
        split: Any,
        decoders: Any = None,
        read_config: tfds.ReadConfig | None = None,
        shuffle_files: bool = False,
    ) -> tf.data.Dataset:
        """Returns what `tfds.load` gives, which TFDS itself lacks for ArrayRecord files."""
        partial = isinstance(decoders, tfds.decode.PartialDecoding)
        if partial or self.info.file_format != tfds.core.FileFormat.ARRAY_RECORD:
            return super()._as_dataset(split, decoders, read_config, shuffle_files)
        config = read_config or tfds.ReadConfig()
        records = Records(self.info, str(split))
        numbers = tf.data.Dataset.range(len(records))
        if config.input_context:
            pipelines = config.input_context.num_input_pipelines
            numbers = numbers.shard(pipelines, config.input_context.input_pipeline_id)
        if shuffle_files:
            numbers = numbers.shuffle(len(records), config.shuffle_seed)
        read = functools.partial(records.example, decoders=decoders)
        return numbers.map(read, num_parallel_calls=tf.data.AUTOTUNE)

    def _generate_examples(self, split: str, entries: Sequence[ImageFiles]) -> Any:
        if self._on_beam:
            import apache_beam as beam

            # Without the reshuffle, one worker would get all files.
            numbered = beam.Create(list(enumerate(entries))) | beam.Reshuffle()
            return numbered | beam.FlatMap(self.example_function())
        return _generate(self.example_function(), f"{self.info.full_name} {split}", entries)


def _generate(
    make: ExampleFunction, label: str, entries: Sequence[ImageFiles]
) -> Iterator[tuple[int, examples.Example]]:
    made = examples.map_in_threads(make, enumerate(entries))
    for keyed in progress(made, len(entries), label):
        yield from keyed
