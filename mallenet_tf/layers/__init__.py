"""Keras layers of the papers, written with `keras.ops` so that they run on every Keras backend."""

from mallenet_tf.layers.attention import MultiDimensionAttention
from mallenet_tf.layers.blocks import InvertedBottleneck, ResidualBlock
from mallenet_tf.layers.carafe import Carafe
from mallenet_tf.layers.context_gated import ContextGatedConv
from mallenet_tf.layers.deformable_convolution import DeformableConv
from mallenet_tf.layers.dynamic import DYNAMIC_FILTERS, dynamic_filter
from mallenet_tf.layers.hypernetwork import HyperNetwork
from mallenet_tf.layers.involution import Involution
from mallenet_tf.layers.kernel_prediction import GroupAverage, PerFrameConv, WeightedTapSum
from mallenet_tf.layers.kernel_predictor import KernelPredictor
from mallenet_tf.layers.linear_light import LinearToSrgb, SrgbToLinear
from mallenet_tf.layers.malleconv import MalleConv
from mallenet_tf.layers.multi_scale import MDCB
from mallenet_tf.layers.noise_level_map import NoiseGain, SelectChannels
from mallenet_tf.layers.pyramid import SpaceToDepth
from mallenet_tf.layers.renamed import OLD_NAMES
from mallenet_tf.layers.sampling import DeformableSampling
from mallenet_tf.layers.sekg import SEKG, DynamicConv, PerPixelConv
from mallenet_tf.layers.upsample import BilinearUpsample, OffsetUpsample

__all__ = [
    "DYNAMIC_FILTERS",
    "MDCB",
    "OLD_NAMES",
    "SEKG",
    "GroupAverage",
    "BilinearUpsample",
    "Carafe",
    "ContextGatedConv",
    "DeformableConv",
    "DeformableSampling",
    "DynamicConv",
    "PerFrameConv",
    "HyperNetwork",
    "InvertedBottleneck",
    "Involution",
    "KernelPredictor",
    "LinearToSrgb",
    "MalleConv",
    "MultiDimensionAttention",
    "NoiseGain",
    "OffsetUpsample",
    "PerPixelConv",
    "ResidualBlock",
    "SelectChannels",
    "SpaceToDepth",
    "SrgbToLinear",
    "WeightedTapSum",
    "dynamic_filter",
]
