"""Registers layers under the names in files written before December 2026."""

import keras

from mallenet_tf.layers.kernel_prediction import GroupAverage, PerFrameConv, WeightedTapSum
from mallenet_tf.layers.noise_level_map import NoiseGain, SelectChannels

OLD_NAMES = {
    "AverageGroups": GroupAverage,
    "FilterFrames": PerFrameConv,
    "ShareOfNoise": NoiseGain,
    "TakeChannels": SelectChannels,
    "WeightTaps": WeightedTapSum,
}

for _name, _layer in OLD_NAMES.items():
    keras.saving.get_custom_objects()[f"mallenet_tf>{_name}"] = _layer
