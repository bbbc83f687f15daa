"""Lets Keras find the package's layers and models in saved files before they are imported."""

import importlib
from types import ModuleType
from typing import Any

import wrapt

PREFIX = "mallenet_tf>"
# The registered names of all layers and models, earlier ones included.
REGISTERED_NAMES = (
    "ADFNet",
    "AverageGroups",
    "BilinearUpsample",
    "Carafe",
    "ContextGatedConv",
    "DeformableConv",
    "DeformableKernels",
    "DeformableSampling",
    "DnCNN",
    "DynamicConv",
    "FilterFrames",
    "GroupAverage",
    "HyperNetwork",
    "InvertedBottleneck",
    "Involution",
    "KPN",
    "KernelPredictor",
    "LinearToSrgb",
    "MDCB",
    "MalleConv",
    "MalleNet",
    "MultiDimensionAttention",
    "NoiseGain",
    "OffsetUpsample",
    "PerFrameConv",
    "PerPixelConv",
    "RDN",
    "ResidualBlock",
    "SADNet",
    "SEKG",
    "SelectChannels",
    "ShareOfNoise",
    "SpaceToDepth",
    "SrgbToLinear",
    "TakeChannels",
    "UNet",
    "WeightTaps",
    "WeightedTapSum",
)


class ImportOnUse:
    """Stands in Keras's registry for a class of the package until a file names it."""

    def __init__(self, name: str):
        self.name = name

    def from_config(self, config: dict[str, Any]) -> Any:
        keras = importlib.import_module("keras")
        importlib.import_module("mallenet_tf.models")  # registers the classes
        return keras.saving.get_custom_objects()[self.name].from_config(config)


@wrapt.when_imported("keras")
def register_names(keras: ModuleType) -> None:
    """Fills the registry as soon as Keras is imported, or now if it has been."""
    registry = keras.saving.get_custom_objects()
    for name in REGISTERED_NAMES:
        registry.setdefault(PREFIX + name, ImportOnUse(PREFIX + name))
