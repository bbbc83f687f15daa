"""TensorFlow Datasets builders of every data set in the catalog.

    import mallenet_tf.data.datasets.builders  # registers them
    tfds.load("sidd_medium/blocks512", split="train")

`tfds build wed --imports=mallenet_tf.data.datasets.builders --manual_dir=...` takes Beam options;
`python -m mallenet_tf.data.prepare` does the same on one machine.

Examples are written in the order of the files, to ArrayRecord files, which `PreparedImages` reads
at random. Nothing is downloaded: most of these data sets ask for a registration.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from mallenet_tf.data.datasets import examples
from mallenet_tf.data.datasets.base import Builder, ExampleFunction
from mallenet_tf.data.datasets.catalog import DATA_SETS, by_name


class _Images(Builder, skip_registration=True):
    """Image files, single or in pairs, whole or cut into sub-images."""

    def features(self) -> dict[str, Any]:
        names = ("noisy", "clean") if self.data_set.clean else ("image",)
        image = functools.partial(tfds.features.Image, shape=(None, None, 3), encoding_format="png")
        found: dict[str, Any] = {"name": tfds.features.Text(), **{name: image() for name in names}}
        if self.data_set.clean:
            found["scene"] = tfds.features.Text()
        if self.variant and self.variant.block:
            found.update(top=np.int64, left=np.int64)
        return found

    def example_function(self) -> ExampleFunction:
        if not self.variant:
            return examples.image_examples
        return functools.partial(
            examples.image_examples, block=self.variant.block, overlap=self.variant.overlap
        )


class _SiddBlocks(Builder, skip_registration=True):
    """Blocks of SIDD in .mat files."""

    blocks = 1280

    def features(self) -> dict[str, Any]:
        (size,) = self.data_set.sizes
        image = functools.partial(tfds.features.Image, shape=(*size, 3), encoding_format="png")
        names = ("noisy", "clean") if self.data_set.clean else ("noisy",)
        place = {"name": tfds.features.Text(), "image": np.int64, "block": np.int64}
        return {**place, **{name: image() for name in names}}

    def example_function(self) -> ExampleFunction:
        (size,) = self.data_set.sizes
        return functools.partial(examples.sidd_examples, count=self.blocks, size=size)


class Dnd(Builder):
    """Darmstadt Noise Dataset."""

    data_set = DATA_SETS["dnd"]
    crops = 20

    def features(self) -> dict[str, Any]:
        (size,) = self.data_set.sizes
        return {
            "name": tfds.features.Text(),
            "noisy": tfds.features.Tensor(
                shape=(self.crops, *size, 3), dtype=np.float32, encoding="bytes"
            ),
            "boxes": tfds.features.Tensor(shape=(self.crops, 4), dtype=np.int64),
        }

    def example_function(self) -> ExampleFunction:
        (size,) = self.data_set.sizes
        (split,) = self.data_set.splits
        return functools.partial(
            examples.dnd_examples, count=split.count, crops=self.crops, size=size
        )


class SiddValidationBlocks(_SiddBlocks):
    """Validation blocks of SIDD."""

    data_set = DATA_SETS["sidd_validation"]


class SiddBenchmark(_SiddBlocks):
    """Benchmark blocks of SIDD."""

    data_set = DATA_SETS["sidd_benchmark"]


class Bsds500(_Images):
    """BSDS500 in its three splits."""

    data_set = DATA_SETS["bsds500"]


class Bsd400(_Images):
    """Train and test splits of BSDS500."""

    data_set = DATA_SETS["bsd400"]


class Wed(_Images):
    """Waterloo Exploration Database."""

    data_set = DATA_SETS["wed"]


class Div2kHr(_Images):
    """High-resolution images of DIV2K."""

    data_set = DATA_SETS["div2k_hr"]


class Flickr2k(_Images):
    """Flickr2K."""

    data_set = DATA_SETS["flickr2k"]


class Cbsd68(_Images):
    """CBSD68."""

    data_set = DATA_SETS["cbsd68"]


class Kodak24(_Images):
    """Kodak's 24 photographs, whole or as FFDNet's crops."""

    data_set = DATA_SETS["kodak24"]


class Mcmaster(_Images):
    """McMaster."""

    data_set = DATA_SETS["mcmaster"]


class Urban100(_Images):
    """Urban100."""

    data_set = DATA_SETS["urban100"]


class SiddSmall(_Images):
    """160 full-resolution pairs of SIDD, whole or cut."""

    data_set = DATA_SETS["sidd_small"]


class SiddMedium(_Images):
    """320 full-resolution pairs of SIDD, whole or cut."""

    data_set = DATA_SETS["sidd_medium"]


class Polyu(_Images):
    """PolyU's real-world noisy images, cropped."""

    data_set = DATA_SETS["polyu"]


class Renoir(_Images):
    """RENOIR."""

    data_set = DATA_SETS["renoir"]


class Nam(_Images):
    """The crops of Nam's cross-channel noise images."""

    data_set = DATA_SETS["nam"]


BUILDERS = {
    builder.name: builder
    for builder in (
        Bsds500,
        Bsd400,
        Wed,
        Div2kHr,
        Flickr2k,
        Cbsd68,
        Kodak24,
        Mcmaster,
        Urban100,
        SiddSmall,
        SiddMedium,
        Polyu,
        Renoir,
        Nam,
        Dnd,
        SiddValidationBlocks,
        SiddBenchmark,
    )
}


def make_builder(name: str, data_dir: str | None = None) -> Builder:
    """Makes the builder of a data set.

    Args:
        name: Name in the catalog, with a variant after a slash if it has several.
        data_dir: Folder of prepared data sets; None for the default of TensorFlow Datasets.

    Raises:
        UserError: If there is no such data set or variant.
    """
    data_set, variant = by_name(name)
    return BUILDERS[data_set.name](data_dir=data_dir, config=variant)
