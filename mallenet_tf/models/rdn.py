"""RDN, the residual dense network, with or without a dynamic filter in its middle block.

Source: Zhang et al. 2018, "Residual Dense Network for Image Super-Resolution", section 3, and its
extension to restoration (2020), section 3.1; malleconv.txt, section 4.3 and Fig. 9; adfnet.txt,
"Extension: DConv and MDCB Used in Backbones" and Fig. 7.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import layers

from mallenet_tf.common.types import Tensor
from mallenet_tf.layers.blocks import convolution
from mallenet_tf.layers.dynamic import dynamic_filter, kernel_spacing, stored_options
from mallenet_tf.models.denoising_model import DenoisingModel, image_input, subtract_noise


@keras.saving.register_keras_serializable("mallenet_tf")
class RDN(DenoisingModel):
    """Residual dense blocks whose outputs are all fused and added to the first layer's features.

    A block has `block_layers` 3x3 convolutions with ReLU, each of which takes the outputs of all
    layers before it in the block, a 1x1 convolution and a residual connection.

    Args:
        blocks: D, number of residual dense blocks; 16 as published, 3, 6 and 10 in malleconv.txt.
        width: Number of channels between the blocks and of each dense layer (G0 and G, 64 as
            published; 8, 16 and 32 in malleconv.txt).
        block_layers: C, number of dense layers of a block.
        dynamic: Name of a dynamic filter of `layers.DYNAMIC_FILTERS` that replaces the first
            convolution of the middle block, which keeps its input's shape; None for none.
        dynamic_options: Arguments of the filter.
        dynamic_blocks: Number of such filters that replace the whole middle block instead; 3, of
            "mdcb", in adfnet.txt.
        image_channels: 3 for color, 1 for gray.
        noise_conditioned: True for a noise level map; a number for that many maps.
        trained_sigma: Noise level of the training data, in 8-bit units; None for several.
        implementation: Implementation of MalleConv's fused op: "auto", "native" or "reference".

    Input shape:
        `[N, H, W, image_channels]`, plus one channel per noise level map; any H and W.

    Output shape:
        `[N, H, W, image_channels]`, not clipped.

    Raises:
        ValueError: If a size is below 1, the filter is unknown, or `dynamic_blocks` has none.

    Example:
        >>> RDN(blocks=3, width=8)(keras.ops.ones((1, 33, 47, 3))).shape
        TensorShape([1, 33, 47, 3])
    """

    def __init__(
        self,
        blocks: int = 16,
        width: int = 64,
        block_layers: int = 8,
        dynamic: str | None = None,
        dynamic_options: Mapping[str, Any] | None = None,
        dynamic_blocks: int = 0,
        image_channels: int = 3,
        noise_conditioned: bool | int = False,
        trained_sigma: float | None = None,
        implementation: str = "auto",
        name: str = "rdn",
    ):
        if min(blocks, width, block_layers) < 1:
            raise ValueError(
                "Sizes must be at least 1. Received: "
                f"blocks={blocks}, width={width}, block_layers={block_layers}"
            )
        if dynamic_blocks and not dynamic:
            raise ValueError(
                f"dynamic_blocks needs a filter. Received: dynamic_blocks={dynamic_blocks}, "
                f"dynamic={dynamic}"
            )
        inputs, noisy = image_input(image_channels, noise_conditioned)
        shallow = convolution(width, 3, "shallow0")(inputs)
        features = convolution(width, 3, "shallow1")(shallow)
        outputs = []
        radius, grid = 5 + blocks * block_layers, 1
        for index in range(blocks):
            name_block, filters = f"block{index}", []
            if dynamic and index == blocks // 2:
                names = [f"{name_block}_dynamic"]
                names += [f"{name_block}_dynamic{number}" for number in range(1, dynamic_blocks)]
                filters = [
                    dynamic_filter(dynamic, each, dynamic_options, implementation) for each in names
                ]
                radius += sum(layer.receptive_field_radius for layer in filters) - 1
                grid = kernel_spacing(filters[0])
            if filters and dynamic_blocks:
                for layer in filters:
                    features = layer(features)
            else:
                features = _dense_block(features, width, block_layers, filters, name_block)
            outputs.append(features)
        fused = layers.Concatenate(name="fusion_concat")(outputs) if blocks > 1 else features
        fused = convolution(width, 1, "fusion0")(fused)
        fused = convolution(width, 3, "fusion1")(fused)
        deep = layers.Add(name="global_residual")([fused, shallow])
        noise = convolution(image_channels, 3, "noise", scale=0.01)(deep)
        denoised = subtract_noise(inputs, noisy, noise, noise_conditioned)
        options = {
            "blocks": blocks,
            "width": width,
            "block_layers": block_layers,
            "dynamic": dynamic,
            "dynamic_options": stored_options(dynamic, dynamic_options),
            "dynamic_blocks": dynamic_blocks,
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
            "implementation": implementation,
        }
        super().__init__(inputs, denoised, options, name)
        self.receptive_field_radius = radius
        self.kernel_spacing = grid


def _dense_block(
    features: Tensor, width: int, block_layers: int, first: Sequence[layers.Layer], name: str
) -> Tensor:
    """Applies a residual dense block; `first` holds what replaces its first convolution, if any."""
    inputs, seen = features, [features]
    for index in range(block_layers):
        own = first[index:] or [convolution(width, 3, f"{name}_conv{index}")]
        layer = own[0]
        dense = layers.Concatenate(name=f"{name}_concat{index}")(seen) if index else features
        seen.append(layers.ReLU(name=f"{name}_relu{index}")(layer(dense)))
    everything = layers.Concatenate(name=f"{name}_concat")(seen)
    # Small initial weights start a deep stack without normalization near the identity.
    fused = convolution(width, 1, f"{name}_fusion", scale=0.05)(everything)
    return layers.Add(name=f"{name}_residual")([fused, inputs])
