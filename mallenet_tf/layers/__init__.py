"""Keras layers of the papers, written with `keras.ops` so that they run on every Keras backend."""

from mallenet_tf.layers.blocks import InvertedBottleneck, ResidualBlock
from mallenet_tf.layers.kernel_predictor import KernelPredictor
from mallenet_tf.layers.malleconv import MalleConv
from mallenet_tf.layers.pyramid import SpaceToDepth
from mallenet_tf.layers.upsample import BilinearUpsample

__all__ = [
    "BilinearUpsample",
    "InvertedBottleneck",
    "KernelPredictor",
    "MalleConv",
    "ResidualBlock",
    "SpaceToDepth",
]
